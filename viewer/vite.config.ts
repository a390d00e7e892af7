import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const BUNDLED = ["maplibre-gl", "pmtiles", "fflate", "topojson-client", "world-atlas"];

/** Notices of packages that come without a file of their licence. */
const UNWRITTEN: Record<string, string> = {
  pmtiles: "Copyright 2021 Protomaps LLC. BSD 3-Clause License, https://opensource.org/license/bsd-3-clause\n",
};

/** Write the licences of all bundled packages beside the viewer. */
const licences = {
  name: "licences",
  generateBundle(this: { emitFile: (file: { type: "asset"; fileName: string; source: string }) => void }) {
    const parts = BUNDLED.map((name) => {
      const folder = `node_modules/${name}`;
      const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
      const file = ["LICENSE", "LICENSE.txt", "LICENSE.md"].find((one) => {
        try {
          return readFileSync(`${folder}/${one}`);
        } catch {
          return undefined;
        }
      });
      const text = file === undefined ? (UNWRITTEN[name] ?? "") : readFileSync(`${folder}/${file}`, "utf8");
      return `${name} ${version} (${license})\n\n${text}`;
    });
    const ground = "Coastlines and boundaries: Natural Earth (naturalearthdata.com), public domain.\n";
    this.emitFile({ type: "asset", fileName: "viewer/LICENSES.txt", source: [ground, ...parts].join("\n----\n\n") });
  },
};

export default defineConfig({
  base: "./",
  plugins: [licences],
  worker: { format: "es" },
  build: {
    outDir: "../src/vadose/serving/viewer",
    emptyOutDir: true,
    assetsDir: "viewer/assets",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
