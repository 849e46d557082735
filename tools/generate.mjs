// Writes all generated files, in the order in which they depend on each other:
//   1. typeDefs and resolver types of each subgraph, from its SDL (GraphQL Code Generator)
//   2. the supergraph, the public schema and the reference of refusals (composition)
//   3. typed documents of each client, from its operations and the public schema (GraphQL Code Generator)
//   4. the reference of error codes, from the catalogue
// `--check` writes nothing and fails if a committed file is stale. An argument without dashes limits 1 and 3 to packages
// whose path contains it.
import { spawnSync } from 'node:child_process';
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

/** Configurations of the generator for the subgraphs, each with its folder. */
function subgraphOutputs(folders) {
  return folders.flatMap((folder) => {
    const { sdl } = graphqlFiles(folder);
    return sdl.length === 0 ? [] : [{ folder, ...serverOutput({ root, folder, sdl: [sharedSdl, ...sdl] }) }];
  });
}

/** Configurations of the generator for the clients, each with its folder. */
function clientOutputs(folders) {
  return folders.flatMap((folder) => {
    const { operations } = graphqlFiles(folder);
    return operations.length === 0
      ? []
      : [{ folder, ...documentsOutput({ folder, schema: publicSdl, operations }) }];
  });
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
const folders = packages().filter((name) => name.includes(only));
let stale = 0;
let written = 0;

/** Generates the outputs, and writes those that changed or reports those that are stale. */
async function write(outputs) {
  for (const output of outputs) {
    for (const { filename, content } of await run(output)) {
      // With a mapper the preset writes resolver files although they are disabled; ours are written by hand.
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
}

/** Runs a Node program; ends this one if it fails. */
function node(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

await write(subgraphOutputs(folders));
// Composition reads SDL files only, so the packages that contain these types need not compile yet.
node('node_modules/typescript-native/bin/tsc', '-b', 'schema', 'lib/errors');
node('schema/dist/bin.js', ...(check ? ['--check'] : []));
await write(clientOutputs(folders));
node('lib/errors/dist/write-reference.js', ...(check ? ['--check'] : []));
if (stale > 0) process.exit(1);
console.log(check ? 'generate: all files are fresh' : `generate: ${written} files changed`);
