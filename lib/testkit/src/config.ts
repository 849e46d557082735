// The only place of this package that touches the environment.

/** Where the workers of a test run learn from whom to ask the address of the shared store. */
const storeVariable = 'RHIZOME_TESTS_STORE';

/** Where a test run offers its shared store; undefined outside of one. */
export function storeOffer(): string | undefined {
  return process.env[storeVariable];
}

/** Makes the offer to all workers that are started from now on. */
export function offerStore(address: string): void {
  process.env[storeVariable] = address;
}

/** What a process that a test starts inherits. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}
