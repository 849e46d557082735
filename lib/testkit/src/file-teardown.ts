import { afterAll } from '@jest/globals';
import { forgetRecords } from './history/records.js';
import { leftovers } from './leftovers.js';
import { storePorts } from './mongo.js';
import { leakedHandles, openHandles } from './open-handles.js';

/** The runner's view of the test file that begins (tools/jest). */
interface TestFile {
  /** Called when the file has declared its tests, so that hooks run after the file's own. */
  readonly whenDeclared: (() => void)[];
}

const key: unique symbol = Symbol.for('rhizome.jest.file');

/** Closes what a test file has opened, and reports what it left open, when its tests have run. */
export function watchFile(): void {
  const baseline = openHandles();
  const { [key]: file } = globalThis as unknown as { readonly [key]: TestFile };
  // What the file itself has opened, if it watches itself, is closed first.
  file.whenDeclared.unshift(() =>
    afterAll(async () => {
      await leftovers.disposeAll().finally(forgetRecords);
      const leaked = await leakedHandles(baseline, storePorts());
      if (leaked.length > 0) throw new Error(`left open by this file:\n- ${leaked.join('\n- ')}`);
    }, 300_000),
  );
}
