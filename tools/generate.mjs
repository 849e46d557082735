// Writes all generated files, in the order in which they depend on each other:
//   1. typeDefs and resolver types of each subgraph, from its SDL (GraphQL Code Generator)
//   2. the supergraph, the public schema and the reference of refusals (composition)
//   3. typed documents of each client, from its operations and the public schema (GraphQL Code Generator),
//      and the values of enums that clients list
//   4. the references of error codes and of the query planner's guards, from their tables
//   5. the text of the reference of permissions. Its table is what a running system answers: `--permissions`
//      builds everything, runs the test that asks, and writes the table
// `--check` writes nothing and fails if a committed file is stale. An argument without dashes limits 1 and 3
// to packages whose path contains it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientOutputs, enumValues, generateAll, packageFolders, subgraphOutputs } from './codegen.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');
const only = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
const folders = packageFolders().filter((name) => name.includes(only));
let stale = 0;
let written = 0;

/** Writes the outputs that changed, or reports those that are stale. */
function write(files) {
  for (const { path, text } of files) {
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

/** Runs a Node program; ends this one if it fails. */
function node(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** The reference of permissions, with its present tables. */
function permissionsPage() {
  const path = resolve(root, 'docs/reference/permissions.md');
  const text = readFileSync(path, 'utf8');
  const head = readFileSync(resolve(root, 'test/security/permissions/head.md'), 'utf8');
  return { path, text: `${head}\n${text.slice(text.search(/^## Core$/m))}` };
}

/** Calls every field as every role, and writes the table of the reference of permissions. */
function writePermissions() {
  node('tools/build.mjs', '--quiet');
  const env = { ...process.env, RHIZOME_UPDATE_PERMISSIONS: '1' };
  const test = 'test/dist/security/permissions/permissions.int.test.js';
  const args = ['node_modules/jest/bin/jest.js', '--selectProjects', 'integration', '--runTestsByPath', test];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
  node(
    'node_modules/prettier/bin/prettier.cjs',
    '--log-level',
    'warn',
    '--write',
    'docs/reference/permissions.md',
  );
}

write(await generateAll(subgraphOutputs(folders)));
// Composition reads SDL files only, so the packages that contain these types need not compile yet.
node('node_modules/typescript-native/bin/tsc', '-b', 'schema', 'lib/errors', 'lib/federation');
node('schema/dist/bin.js', ...(check ? ['--check'] : []));
write(await generateAll(clientOutputs(folders)));
if ('lib/client'.includes(only)) write(enumValues());
node('lib/errors/dist/write-reference.js', ...(check ? ['--check'] : []));
node('lib/federation/dist-test/testing/guards/write-guards.js', ...(check ? ['--check'] : []));
write([permissionsPage()]);
if (process.argv.includes('--permissions')) writePermissions();
if (stale > 0) process.exit(1);
console.log(check ? 'generate: all files are fresh' : `generate: ${written} files changed`);
