// Bundles the pages' modules and styles into contactcentre/web/static/build, under names that carry a hash of their
// content (so browsers may keep them for ever), and writes manifest.json: plain name -> hashed name. Of each catalogue of
// translated texts it makes two: all of them for the server (messages.mo, beside its source), those of scripts for pages.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";
import { mo, po } from "gettext-parser";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "static", "build");

const translations = path.join(here, "..", "translations");
const names = {}; // of all builds

const manifest = {
  name: "manifest",
  setup(build) {
    build.onEnd(async (result) => {
      if (result.errors.length > 0) return;
      for (const [file, { entryPoint }] of Object.entries(result.metafile.outputs)) {
        if (entryPoint) names[path.basename(file).replace(/-[A-Z0-9]{8}(?=\.)/, "")] = path.basename(file);
      }
      await writeFile(path.join(out, "manifest.json"), JSON.stringify(names, null, 2) + "\n");
      for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
        if (!file.endsWith(".map")) console.log(`${path.basename(file)}  ${(bytes / 1024).toFixed(1)} kB`);
      }
    });
  },
};

// What a page of another language loads before its scripts: plural(number) -> which form; English text -> text, or forms.
const catalogues = {
  name: "catalogues",
  setup(build) {
    build.onLoad({ filter: /\.po$/ }, async ({ path: file }) => {
      const read = po.parse(await readFile(file));
      await writeFile(file.replace(/\.po$/, ".mo"), mo.compile(read));
      const plural = /plural=([n0-9 !=<>?:&|%()]+)/.exec(read.headers["Plural-Forms"])[1];
      const messages = {};
      for (const { msgid, msgid_plural, msgstr, comments } of Object.values(read.translations[""])) {
        if (msgstr[0] && comments?.reference?.includes("/assets/js/")) messages[msgid] = msgid_plural ? msgstr : msgstr[0];
      }
      return { contents: `globalThis.catalogue = { plural: (n) => Number(${plural}), messages: ${JSON.stringify(messages)} };`, loader: "js" };
    });
  },
};

const languages = await readdir(translations);

const options = {
  entryPoints: [
    ...["js/admin.js", "js/agent.js", "js/app.js", "js/charts.js", "js/live.js", "js/player.js", "js/prompts.js", "js/wallboard.js", "js/welcome.js", "css/charts.css", "css/site.css", "icon.svg"].map((name) => ({ in: path.join(here, name), out: path.parse(name).name })),
    ...languages.map((one) => ({ in: path.join(translations, one, "LC_MESSAGES", "messages.po"), out: `words-${one}` })),
  ],
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
  plugins: [catalogues, manifest],
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
