/** From a saved source file to its effect, as developers see it: `npm run dev` and `npm run test:watch`. */
import { leftovers, spawnProcess, type TestProcess } from '@rhizome/testkit';
import { type WorkingCopy, workingCopy } from '../../e2e/dev/working-copy.js';
import { dataFolder } from '../../e2e/system/playground-system.js';

/** Something that did not happen by then is broken, not slow. */
const giveUpMs = 300_000;

/** A deadline from a save: what it is about, its goal in seconds, and one try. */
export interface SaveDeadline {
  readonly name: string;
  readonly goal: number;
  run(): Promise<number>;
}

/** A file whose saves are measured. */
interface Saved {
  readonly file: string;
  /** Text that each save replaces by itself with a comment, so that the output differs each time. */
  readonly text: string;
}

const experimentFile: Saved = {
  file: 'experiments/larkspur/src/resolvers.ts',
  text: 'LarkspurQuery: {',
};
const coreFile: Saved = { file: 'subgraphs/core/src/viewer/graphql/resolvers.ts', text: '`principal_${' };
const gatewayFile: Saved = { file: 'gateway/src/policy/plan-right.ts', text: 'export ' };
const testedFile: Saved = { file: 'lib/retry/src/backoff.ts', text: 'export ' };
/** The unit test of {@link testedFile}. */
const watchedTest = 'lib/retry/src/backoff.test.ts';

let saves = 0;

/** Saves a file; seconds until a line of the process reports the result. */
async function save(
  copy: WorkingCopy,
  of: TestProcess,
  { file, text }: Saved,
  result: RegExp,
): Promise<number> {
  saves += 1;
  const seen = of.lines.length;
  const begun = performance.now();
  await copy.edit(file, text, `/* ${saves} */ ${text}`);
  const line = await lineAfter(of, seen, result);
  if (line.includes('FAILED')) throw new Error(`${file}: ${line}`);
  return (performance.now() - begun) / 1000;
}

/** The first line after the first `seen` ones that matches. */
async function lineAfter(of: TestProcess, seen: number, pattern: RegExp): Promise<string> {
  const begun = performance.now();
  for (;;) {
    const line = of.lines.slice(seen).find((one) => pattern.test(one));
    if (line !== undefined) return line;
    if (performance.now() - begun > giveUpMs)
      throw new Error(`no line like ${pattern.source}; the last ones:\n${of.lines.slice(-20).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function startDev(copy: WorkingCopy): Promise<TestProcess> {
  const args = ['tools/dev.mjs', '--data', await dataFolder(), '--port', '0', '--pilots', '0'];
  const dev = spawnProcess({ name: 'npm run dev', command: 'node', args, cwd: copy.path });
  await dev.line(/^dev: watching sources/, giveUpMs);
  return dev;
}

async function startWatch(copy: WorkingCopy): Promise<TestProcess> {
  const args = ['tools/watch-tests.mjs', watchedTest];
  const watch = spawnProcess({ name: 'npm run test:watch', command: 'node', args, cwd: copy.path });
  await watch.line(/^test:watch: passed/, giveUpMs);
  return watch;
}

/** Measures deadlines in a copy of the repository; `measure` runs the tries of one. */
export async function measureSaves(measure: (deadline: SaveDeadline) => Promise<void>): Promise<void> {
  try {
    const copy = await workingCopy();
    const dev = await startDev(copy);
    const live = /^dev: (?:live|FAILED)/;
    const served: readonly (readonly [string, number, Saved])[] = [
      ['saved file of an experiment, to live in npm run dev', 3, experimentFile],
      ['saved file of core, to restarted in npm run dev', 5, coreFile],
      ['saved file of the gateway, to restarted in npm run dev', 5, gatewayFile],
    ];
    for (const [name, goal, file] of served)
      await measure({ name, goal, run: () => save(copy, dev, file, live) });
    await dev.kill('SIGTERM');
    const watch = await startWatch(copy);
    const result = /^test:watch: (?:passed|FAILED)/;
    const name = 'saved file, to the result of its unit test in npm run test:watch';
    await measure({ name, goal: 3, run: () => save(copy, watch, testedFile, result) });
    await watch.kill('SIGINT');
  } finally {
    await leftovers.disposeAll();
  }
}
