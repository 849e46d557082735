/** For tests of workflows: calls, and a worker that runs the jobs of nodes. */
import { expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, type TestCore } from './core.fixture.js';
import { WorkerCalls } from './worker-calls.fixture.js';

/** Longest time that a test waits. */
export const minute = { deadlineMs: 60_000 };

/** A node with a job. */
export const node = (name: string, change: object = {}): object => ({
  name,
  payload: { command: 'true' },
  retry: { maxAttempts: 1 },
  ...change,
});

/** Edges to a node from others. */
export const after = (...names: readonly string[]): object => ({
  dependsOn: names.map((name) => ({ node: name })),
});

/** Calls about workflows of alpha. */
export class TestWorkflow {
  readonly id: string;
  readonly #core: TestCore;

  constructor(core: TestCore, id: string) {
    this.#core = core;
    this.id = id;
  }

  static async submit(core: TestCore, name: string, input: object): Promise<TestWorkflow> {
    const answer = await submitWorkflow(core, name, input);
    expect(answer['userErrors']).toEqual([]);
    return new TestWorkflow(core, String(answer['workflow']?.['id']));
  }

  /** Calls a mutation, such as `retry`. */
  async command(field: string, input: object = {}): Promise<Answer> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { workflow { state } userErrors { code message } } }`;
    return (await this.#core.ask(text, { input: { workflowId: this.id, ...input } }))[field] as Answer;
  }

  async state(): Promise<string> {
    const { workflow } = await this.#core.ask('query ($id: ID!) { workflow(id: $id) { state } }', {
      id: this.id,
    });
    return String(workflow?.['state']);
  }

  /** States of the nodes by name. */
  async nodes(): Promise<Readonly<Record<string, string>>> {
    const { workflow } = await this.#core.ask(
      'query ($id: ID!) { workflow(id: $id) { nodes(first: 100) { nodes { name state } } } }',
      { id: this.id },
    );
    const found = workflow?.['nodes']?.['nodes'] as unknown as readonly Answer[];
    return Object.fromEntries(found.map(({ name, state }) => [String(name), String(state)]));
  }

  async until(state: string): Promise<void> {
    await waitFor(`state ${state} of ${this.id}`, async () => (await this.state()) === state, minute);
  }
}

/** Submits a workflow of alpha. */
export async function submitWorkflow({ ask }: TestCore, name: string, input: object): Promise<Answer> {
  const { submitWorkflow: answer } = await ask(
    'mutation ($input: SubmitWorkflowInput!) { submitWorkflow(input: $input) { workflow { id state } warnings userErrors { code path message } } }',
    { input: { experiment: 'alpha', name, idempotencyKey: name, ...input } },
  );
  return answer as Answer;
}

/** A worker that runs all jobs that it gets. */
export class Crew {
  /** Names of the jobs, in the order of their ends. */
  readonly ran: string[] = [];
  readonly #calls: WorkerCalls;

  private constructor(calls: WorkerCalls) {
    this.#calls = calls;
  }

  /** @param cores processes of core, of which any may lead */
  static async join(cores: readonly TestCore[], name: string): Promise<Crew> {
    return new Crew(await WorkerCalls.register(cores, name, pilotOf('north')));
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#calls.moveTo(core);
  }

  /** Runs jobs until the workflow has a state. @param fails names of nodes that fail */
  async work(workflow: TestWorkflow, state: string, fails: readonly string[] = []): Promise<void> {
    await waitFor(
      `state ${state} of ${workflow.id}`,
      async () => {
        await this.turn(fails);
        return (await workflow.state()) === state;
      },
      minute,
    );
  }

  /** Runs the jobs that are ready. @returns their names */
  async turn(fails: readonly string[] = [], count = 100): Promise<readonly string[]> {
    const jobs = await this.#calls.start(count);
    await this.#calls.finish(jobs.filter(({ name }) => !fails.includes(name)));
    await this.#calls.fail(jobs.filter(({ name }) => fails.includes(name)));
    this.ran.push(...jobs.map(({ name }) => name));
    return jobs.map(({ name }) => name);
  }
}
