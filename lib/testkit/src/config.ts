// The only place of this package that touches the environment.

/** Variable with the address from which workers of a test run get the URI of the shared store. */
const storeVariable = 'RHIZOME_TESTS_STORE';

/** Where a test run offers its shared store; undefined outside of one. */
export function storeOffer(): string | undefined {
  return process.env[storeVariable];
}

/** Makes the offer to all workers that are started from now on. */
export function offerStore(address: string): void {
  process.env[storeVariable] = address;
}

/** Environment that a process started by a test inherits. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}
