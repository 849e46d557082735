// Runs test files as plain ES modules of Node, in the realm of the worker process. Jest's own runtime links
// the whole graph of modules again for each test file, in a context of its own: a second of processor time
// for each of more than five hundred files. Here a worker loads each module once. What a file may not leave
// behind is checked and undone by ./environment.mjs. See docs/decisions/0049-test-files-share-a-realm.md.
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { beginFile, finishDeclarations } from './globals.mjs';

const require = createRequire(import.meta.url);
const asyncHooks = require('node:async_hooks');
const runCircus = require('jest-circus/runner').default;

register('./resolve-globals.mjs', import.meta.url);

let runs = 0;

/**
 * Jest's `testRunner`: jest-circus with a runtime that loads modules by Node.
 * @returns {Promise<import('@jest/test-result').TestResult>}
 */
export default async function runTestFile(globalConfig, config, environment, runtime, testPath, send) {
  beginFile(runtime, testPath);
  const storages = [];
  try {
    const native = nativeRuntime(runtime, testPath, storages);
    return await runCircus(globalConfig, config, environment, native, testPath, send);
  } finally {
    // Each one in use costs all promises of the process.
    for (const storage of storages) storage.disable();
  }
}

/** Calls `run`, and adds what it makes of AsyncLocalStorage to `storages`. */
function collectStorages(storages, run) {
  const { AsyncLocalStorage } = asyncHooks;
  asyncHooks.AsyncLocalStorage = class extends AsyncLocalStorage {
    constructor(...options) {
      super(...options);
      storages.push(this);
    }
  };
  try {
    return run();
  } finally {
    asyncHooks.AsyncLocalStorage = AsyncLocalStorage;
  }
}

/** The runtime, except that modules are loaded by Node. */
function nativeRuntime(runtime, testPath, storages) {
  runs += 1;
  const overrides = {
    // jest-circus keeps its state in modules and expects new ones for each file.
    requireInternalModule(path) {
      delete globalThis[Symbol.for('EVENT_HANDLERS')];
      delete require.cache[path];
      return collectStorages(storages, () => require(path));
    },
    requireModule: (path) => require(path),
    unstable_shouldLoadAsEsm: () => true,
    // The query makes the test file and the set-up files new modules; what they import is shared.
    async unstable_importModule(path) {
      await import(`${pathToFileURL(path)}?run=${runs}`);
      if (path === testPath) finishDeclarations();
    },
  };
  return new Proxy(runtime, {
    get(target, name) {
      if (Object.hasOwn(overrides, name)) return overrides[name];
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
