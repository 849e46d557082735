// What `@jest/globals` exports, for modules that outlive a test file: each name stands for that of the file
// that runs now.
const key = Symbol.for('rhizome.jest.file');

/**
 * Begins a test file.
 * @param {import('jest-runtime').default} runtime jest's runtime of this file
 * @param {string} testPath
 */
export function beginFile(runtime, testPath) {
  globalThis[key] = { jest: runtime.jestGlobals.jestObjectFor(testPath), whenDeclared: [] };
}

/** Calls what the set-up of the file wants to do after the file has declared its tests and hooks. */
export function finishDeclarations() {
  for (const callback of globalThis[key].whenDeclared) callback();
}

function current(name) {
  return name === 'jest' ? globalThis[key].jest : globalThis[name];
}

function delegate(name) {
  return new Proxy(function () {}, {
    apply: (_target, _this, args) => current(name)(...args),
    get: (_target, property) => current(name)[property],
  });
}

export const jest = delegate('jest');
export const expect = delegate('expect');
export const describe = delegate('describe');
export const it = delegate('it');
export const test = delegate('test');
export const beforeAll = delegate('beforeAll');
export const beforeEach = delegate('beforeEach');
export const afterAll = delegate('afterAll');
export const afterEach = delegate('afterEach');
