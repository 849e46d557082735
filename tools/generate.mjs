// Generates what is derived from SDL and operation documents, by GraphQL Code Generator: for each subgraph its
// typeDefs and resolver types, for each client its typed documents. `--check` writes nothing and fails if a
// committed file is not what would be written. An argument without dashes limits the run to paths that contain it.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate } from '@graphql-codegen/cli';
import { Kind, parse } from 'graphql';
import { documentsOutput, finished, serverOutput } from './codegen.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const sharedSdl = 'schema/shared.graphql';
const publicSdl = 'schema/public.graphql';
const executable = new Set([Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION]);

/** The packages that may have SDL or operations: every folder of these groups, in a stable order. */
function packages() {
  return ['lib', 'subgraphs', 'experiments', 'clients', 'deploy']
    .filter((group) => existsSync(join(root, group)))
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
    .concat('gateway')
    .filter((folder) => existsSync(join(root, folder, 'src')))
    .sort();
}

/** A package's .graphql files, told apart by what is in them: a schema's words, or operations against one. */
function graphqlFiles(folder) {
  const found = { sdl: [], operations: [] };
  const names = readdirSync(join(root, folder, 'src'), { recursive: true });
  for (const name of names.filter((file) => file.endsWith('.graphql')).sort()) {
    const file = `${folder}/src/${name}`;
    const kinds = parse(readFileSync(join(root, file), 'utf8')).definitions.map(({ kind }) =>
      executable.has(kind),
    );
    if (new Set(kinds).size > 1)
      throw new Error(`${file}: definitions of types and operations belong in separate files`);
    found[kinds[0] ? 'operations' : 'sdl'].push(file);
  }
  return found;
}

/** All outputs that are due, as pairs of the inputs and the generator's configuration. */
function plan(only) {
  const outputs = [];
  for (const folder of packages().filter((name) => name.includes(only))) {
    const { sdl, operations } = graphqlFiles(folder);
    if (sdl.length > 0) outputs.push({ folder, ...serverOutput({ root, folder, sdl: [sharedSdl, ...sdl] }) });
    if (operations.length === 0) continue;
    if (existsSync(join(root, publicSdl))) {
      outputs.push({ folder, ...documentsOutput({ folder, schema: publicSdl, operations }) });
    } else {
      console.warn(`generate: ${folder} waits for ${publicSdl}; run "npm run compose" first`);
    }
  }
  return outputs;
}

/** Generates one output in memory. */
async function run({ folder, config }) {
  try {
    return await generate(
      { ...config, cwd: root, silent: true, errorsOnly: true, noSilentErrors: true },
      false,
    );
  } catch (error) {
    const reasons = (error.errors ?? [error]).map(({ message }) => message);
    throw new Error(`${folder}: ${reasons.join('\n')}`);
  }
}

const check = process.argv.includes('--check');
const only = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
let stale = 0;
let written = 0;
for (const output of plan(only)) {
  for (const { filename, content } of await run(output)) {
    // A mapper makes the preset write resolver files whatever it is told; ours are one a domain, by hand.
    if (!/(typeDefs|types|operations)\.generated\.ts$/.test(filename)) continue;
    const path = resolve(root, filename);
    const text = finished(content);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
    if (check) {
      stale += 1;
      console.error(`generate: ${relative(root, path)} is stale; run "npm run generate" and commit it`);
    } else {
      written += 1;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      console.log(`generate: wrote ${relative(root, path)}`);
    }
  }
}
if (stale > 0) process.exit(1);
console.log(check ? 'generate: all files are fresh' : `generate: ${written} files changed`);
