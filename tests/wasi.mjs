// Runs a WebAssembly program for WASI: node --no-warnings tests/wasi.mjs PROGRAM [ARGUMENTS]
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const wasi = new WASI({
    version: 'preview1', args: process.argv.slice(2), preopens: { '.': '.', '/': '/' }, returnOnExit: true,
});
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
