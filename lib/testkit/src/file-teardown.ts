import { leftovers } from './leftovers.js';
import { storePorts } from './mongo.js';
import { leakedHandles, openHandles } from './open-handles.js';

/** Where test files share the modules of a worker (tools/jest): the runner's view of the file that begins. */
interface SharedRealm {
  /** Called when the file has declared its tests, so that hooks run after the file's own. */
  readonly whenDeclared: (() => void)[];
}

const sharedRealm = (): SharedRealm | undefined =>
  (globalThis as { [key: symbol]: SharedRealm | undefined })[Symbol.for('rhizome.jest.file')];

/** Closes what a test file has opened, and reports what it left open, when its tests have run. */
export function watchFile(): void {
  const baseline = openHandles();
  const register = (): void => {
    // Jest's, where there is one: benchmarks and seeds use this package without it.
    const { afterAll } = globalThis as { afterAll?: (hook: () => Promise<void>, timeoutMs?: number) => void };
    afterAll?.(async () => {
      await leftovers.disposeAll();
      const leaked = await leakedHandles(baseline, storePorts());
      if (leaked.length > 0) throw new Error(`left open by this file:\n- ${leaked.join('\n- ')}`);
    }, 300_000);
  };
  const realm = sharedRealm();
  if (realm === undefined) register();
  // What the file itself has opened, if it watches itself, is closed first.
  else realm.whenDeclared.unshift(register);
}

// In a shared realm the set-up of each file calls it: this module is loaded once.
if (sharedRealm() === undefined) watchFile();
