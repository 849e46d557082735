import type { CheckName, TestDatabase } from '@rhizome/testkit';

/** A fault of core, built in for the time of a story. */
export interface Defect {
  /** Completes "the checker notices a core that …". */
  readonly name: string;
  /** Check that must notice it. */
  readonly check: CheckName;
  /** Runs the story. @returns its database */
  readonly run: () => Promise<TestDatabase>;
}
