// Hook of Node's module loader: `@jest/globals` throws outside of jest's own runtime, so that imports of it
// get the globals of the running test file instead.
const globals = new URL('./globals.mjs', import.meta.url).href;

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  if (specifier === '@jest/globals') return { url: globals, shortCircuit: true };
  return nextResolve(specifier, context);
}
