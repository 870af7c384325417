// Bundles the front end into the Python package: one ES module, one style sheet, nothing loaded from elsewhere.
import { context } from "esbuild";

const build = await context({
  entryPoints: { widget: "src/widget.ts" },
  outdir: "../lr_widget/widget/static",
  bundle: true,
  format: "esm",
  target: "es2020",
  minify: !process.argv.includes("--watch"),
  legalComments: "none",
  logLevel: "info",
});
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
