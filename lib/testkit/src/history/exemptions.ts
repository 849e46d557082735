/**
 * Test files whose stores break a promise by design: they write jobs by hand, or break core on purpose. No
 * other file can leave out a check.
 */
import type { CheckName } from './promises.js';

/** Checks that a test file leaves out. */
export interface Exemption {
  /** Path of the source from the root of the repository. */
  readonly file: string;
  /** `all` only for files that test the checker. */
  readonly checks: readonly CheckName[] | 'all';
  readonly reason: string;
}

/** All exemptions. */
export const exemptions: readonly Exemption[] = [
  {
    file: 'subgraphs/core/test/history/defects.int.test.ts',
    checks: 'all',
    reason: 'Breaks core on purpose, so that the checks notice it.',
  },
  {
    file: 'subgraphs/core/src/jobs/model/job-filter.int.test.ts',
    checks: 'all',
    reason: 'Fills a collection with documents that have only the fields of filters.',
  },
  {
    file: 'subgraphs/core/src/jobs/model/job-search.int.test.ts',
    checks: ['documents-match-events', 'events-of-every-change', 'fences-are-unique'],
    reason: 'Writes attempts into the documents of jobs, without events.',
  },
  {
    file: 'subgraphs/core/test/jobs/bulk.service.int.test.ts',
    checks: ['waiting-jobs-go-on'],
    reason: 'Inserts thousands of jobs whose requirement class does not exist.',
  },
  {
    file: 'subgraphs/core/test/events/recounts.int.test.ts',
    checks: ['jobs-are-kept', 'counts-match-events'],
    reason: 'Deletes jobs, and stores counts at a position that it makes up.',
  },
  {
    file: 'subgraphs/core/test/pages-below-lists.int.test.ts',
    checks: ['documents-match-events'],
    reason: 'Writes attempts into the documents of jobs.',
  },
  {
    file: 'test/e2e/system/recorded-answers.int.test.ts',
    checks: ['keys-have-one-answer', 'acknowledged-cancels-hold'],
    reason: 'Changes the answers of a gateway, so that the checks notice it.',
  },
];

/** Checks that a test file leaves out; by default the one that jest runs. */
export function exemptChecks(file = currentTestFile()): ReadonlySet<CheckName> | 'all' {
  const own = exemptions.filter(({ file: source }) => file !== undefined && isBuiltFrom(file, source));
  const checks = own.map((exemption) => exemption.checks);
  return checks.includes('all') ? 'all' : new Set(checks.flatMap((some) => (some === 'all' ? [] : some)));
}

/** The file that jest runs; undefined outside of jest. */
function currentTestFile(): string | undefined {
  const { expect } = globalThis as { expect?: { getState(): { readonly testPath?: string } } };
  return expect?.getState().testPath;
}

/** A test is built into a folder of its package; the folders between differ. */
function isBuiltFrom(built: string, source: string): boolean {
  return bare(built).endsWith(bare(source));
}

function bare(path: string): string {
  const names = path.replace(/\.[jt]s$/, '').split(/[\\/]/);
  return `/${names.filter((name) => !folders.has(name)).join('/')}`;
}

const folders = new Set(['', 'dist', 'dist-test', 'src', 'test']);
