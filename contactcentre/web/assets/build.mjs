// Bundles the pages' modules and styles into contactcentre/web/static/build, under names that carry a hash of their
// content (so browsers may keep them for ever), and writes manifest.json: plain name -> hashed name.
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "static", "build");

const names = {}; // of all builds

const manifest = {
  name: "manifest",
  setup(build) {
    build.onEnd(async (result) => {
      if (result.errors.length > 0) return;
      for (const [file, { entryPoint }] of Object.entries(result.metafile.outputs)) {
        if (entryPoint) names[path.basename(entryPoint)] = path.basename(file);
      }
      await writeFile(path.join(out, "manifest.json"), JSON.stringify(names, null, 2) + "\n");
      for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
        if (!file.endsWith(".map")) console.log(`${path.basename(file)}  ${(bytes / 1024).toFixed(1)} kB`);
      }
    });
  },
};

const options = {
  entryPoints: ["js/admin.js", "js/agent.js", "js/app.js", "js/charts.js", "js/live.js", "js/player.js", "js/prompts.js", "js/wallboard.js", "js/welcome.js", "css/charts.css", "css/site.css", "icon.svg"].map((name) => path.join(here, name)),
  entryNames: "[name]-[hash]",
  outdir: out,
  bundle: true,
  minify: true,
  sourcemap: true,
  metafile: true,
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  loader: { ".svg": "copy" },
  logLevel: "warning",
  plugins: [manifest],
};

// The page that tries the API out loads a library as large as all others together. Nothing of it is in what other pages load.
const tryout = {
  ...options,
  entryPoints: ["js/tryout.js", "css/tryout.css"].map((name) => path.join(here, name)),
  sourcemap: false,
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
if (process.argv.includes("--watch")) {
  for (const one of [options, tryout]) await (await esbuild.context(one)).watch();
} else {
  for (const one of [options, tryout]) await esbuild.build(one);
}
