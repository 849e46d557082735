import { leftovers } from './leftovers.js';
import { storePorts } from './mongo.js';
import { leakedHandles, openHandles } from './open-handles.js';

const baseline = openHandles();

/** Jest's, where there is one: benchmarks and seeds use this package without it. */
const { afterAll } = globalThis as { afterAll?: (hook: () => Promise<void>, timeoutMs?: number) => void };

// Registered when a test file imports the package, at the root: it runs after all hooks of the file's own.
afterAll?.(async () => {
  await leftovers.disposeAll();
  const leaked = await leakedHandles(baseline, storePorts());
  if (leaked.length > 0) throw new Error(`left open by this file:\n- ${leaked.join('\n- ')}`);
}, 300_000);
