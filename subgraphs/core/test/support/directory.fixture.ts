/**
 * For tests of queues, experiments and shares: a core with three experiments, and common checks of rejected
 * input.
 */
import { expect } from '@jest/globals';
import { type Answer, startCore, type TestCore } from './core.fixture.js';

const queueFields = `id name site { name } state stateReason stateChangedBy { subject } experiments { name } executor revision labels { key value }
  limits { maxCores maxMemoryMiB maxWalltimeSeconds maxRunningJobs heartbeatSeconds leaseSeconds logIntervalMs }
  experimentLimits { experiment { name } maxRunningJobs maxCores maxGpus }`;
const errors = 'userErrors { code path message }';
export const createQueue = `mutation ($input: CreateQueueInput!) { createQueue(input: $input) { queue { ${queueFields} } ${errors} } }`;
export const updateQueue = `mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { queue { ${queueFields} } ${errors} } }`;
export const setQueueState = `mutation ($input: SetQueueStateInput!) { setQueueState(input: $input) { queue { ${queueFields} } ${errors} } }`;
export const registerExperiment = `mutation ($input: RegisterExperimentInput!) {
  registerExperiment(input: $input) { experiment { name title description shares { path } } ${errors} }
}`;
export const updateExperiment = `mutation ($input: UpdateExperimentInput!) {
  updateExperiment(input: $input) { experiment { name title description revision } ${errors} }
}`;
export const setShares = `mutation ($input: SetSharesInput!) {
  setShares(input: $input) { shares { path nominalCores borrowLimitCores weight ownerLimitCores } ${errors} }
}`;

/**
 * A case of bad input: its name, the change to good input, and the expected code, path and value in the
 * message.
 */
export type BadInput = readonly [
  what: string,
  change: object,
  code: string,
  path: readonly string[],
  named: string,
];

/** A core to test on. */
export class DirectorySetup {
  readonly core: Awaited<ReturnType<typeof startCore>>;
  #serial = 0;

  private constructor(core: DirectorySetup['core']) {
    this.core = core;
  }

  /** Starts a core and registers "alpha", "beta" and "gamma". */
  static async open(): Promise<DirectorySetup> {
    const core = await startCore();
    for (const name of ['alpha', 'beta', 'gamma']) {
      await core.ask(registerExperiment, { input: { name, title: `The ${name}` } });
    }
    return new DirectorySetup(core);
  }

  /** An unused queue name. */
  name(): string {
    return `queue-${(this.#serial += 1)}`;
  }

  /** Creates a queue. */
  async queue(change: object = {}): Promise<Answer> {
    const input = { name: this.name(), site: 'Pole', ...change };
    const { createQueue: answer } = await this.ask(createQueue, { input });
    expect(answer?.['userErrors']).toEqual([]);
    return answer?.['queue'] as Answer;
  }

  /** As {@link TestCore.ask}. */
  ask(...call: Parameters<TestCore['ask']>): Promise<Answer> {
    return this.core.ask(...call);
  }

  /** Everything stored, to check that nothing was partly written. */
  async stored(): Promise<string> {
    const read = (name: string) => this.core.db.collection(name).find().sort({ _id: 1 }).toArray();
    return JSON.stringify(await Promise.all(['queues', 'experiments', 'shares'].map(read)));
  }

  /** Runs a mutation that must be rejected with this code and path, name the value, and write nothing. */
  async refused(
    mutation: string,
    input: object,
    ...[code, path, named]: readonly [string, readonly string[], string]
  ): Promise<void> {
    const before = await this.stored();
    const [answer] = Object.values(await this.ask(mutation, { input }));
    const { userErrors, ...rest } = answer as unknown as {
      userErrors: { code: string; path: string[]; message: string }[];
    };
    const found = userErrors.find((error) => error.code === code && error.path.join() === path.join());
    expect({ code, path, all: userErrors, is: found !== undefined }).toMatchObject({ is: true });
    expect(found?.message).toContain(named);
    for (const value of Object.values(rest))
      expect(value === null || (Array.isArray(value) && value.length === 0)).toBe(true);
    expect(await this.stored()).toBe(before);
  }

  /** Runs a mutation that is forbidden for the principal. */
  async forbidden(mutation: string, input: object, principal: Parameters<TestCore['ask']>[2]): Promise<void> {
    const before = await this.stored();
    const { errors: faults } = await this.core.run(mutation, { input }, principal);
    expect(faults?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    expect(await this.stored()).toBe(before);
  }
}
