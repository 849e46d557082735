// A gateway reports to core that it accepts pilots only while that is true.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { composeSubgraphs } from '@rhizome/federation/testing';
import { silentLogger } from '@rhizome/log';
import { leftovers, waitFor } from '@rhizome/testkit';
import { buildGateway, type Gateway } from './app.js';
import { AvailabilityReports } from './availability-reports.js';
import { serveGateway } from './serve.js';
import { createHttpTransport } from './transports/index.js';

const sdl = `type Query { core: String }
type Mutation { reportGateway(input: ReportGatewayInput!): ReportGatewayPayload! }
input ReportGatewayInput { isAcceptingPilots: Boolean! }
type ReportGatewayPayload { reportedAt: String userErrors: [ReportGatewayUserError!]! }
type ReportGatewayUserError { message: String! }`;
const accepted = { data: { reportGateway: { reportedAt: 'now', userErrors: [] } } };
const patience = { deadlineMs: 60_000 };

/** Reports that core received, in order. */
let reports: boolean[];
/** Calls that core does not answer until the test says so. */
let answers: (() => void)[] | undefined;
let core: ReturnType<typeof createServer>;

beforeAll(async () => {
  core = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { variables } = JSON.parse(Buffer.concat(chunks).toString()) as {
        variables: { input: { isAcceptingPilots: boolean } };
      };
      reports.push(variables.input.isAcceptingPilots);
      const answer = (): void =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(accepted));
      if (answers) answers.push(answer);
      else answer();
    });
  });
  await new Promise<void>((resolve) => core.listen(0, '127.0.0.1', resolve));
  leftovers.defer('core', () => {
    core.closeAllConnections();
    return new Promise((resolve) => core.close(resolve));
  });
});

beforeEach(() => {
  reports = [];
  answers = undefined;
});

async function startedGateway(): Promise<Gateway> {
  const url = `http://127.0.0.1:${(core.address() as AddressInfo).port}/graphql`;
  return buildGateway({
    supergraphSdl: composeSubgraphs([{ name: 'core', sdl }]),
    transports: (subgraph) => createHttpTransport({ subgraph, url }),
    verifier: undefined,
    log: silentLogger(),
    planning: 'inline',
  });
}

describe('a gateway', () => {
  it('reports from when it listens to when it drains, and last of all that it accepts no pilots', async () => {
    const gateway = await startedGateway();
    const served = leftovers.use(await serveGateway(gateway, { port: 0 }), 'a gateway');
    await waitFor('reports', () => reports.length >= 2, patience);
    expect(new Set(reports)).toEqual(new Set([true]));
    await served.close(0);
    expect(reports.at(-1)).toBe(false);
    expect(reports.filter((one) => !one)).toHaveLength(1);
  });

  it('reports nothing before it listens', async () => {
    const gateway = await startedGateway();
    await gateway.close();
    expect(reports).toEqual([]);
  });

  it('gives up a report under way when it drains: no later one says that it accepts pilots', async () => {
    answers = [];
    const served = leftovers.use(await serveGateway(await startedGateway(), { port: 0 }), 'a gateway');
    await waitFor('a report', () => reports.length === 1, patience);
    const closed = served.close(0);
    await waitFor('the last report', () => reports.at(-1) === false, patience);
    answers.forEach((answer) => answer());
    await closed;
    expect(reports).toEqual([true, false]);
  });
});

describe('AvailabilityReports', () => {
  it('sends none while the gateway does not accept pilots', async () => {
    const sent: boolean[] = [];
    let turns = 0;
    let isReady = false;
    const engine = {
      execute: async ({ variables }: { variables: { input: { isAcceptingPilots: boolean } } }) => {
        sent.push(variables.input.isAcceptingPilots);
        return { codes: [] };
      },
    };
    const availability = new AvailabilityReports({
      borrow: (async (work: (engine: never) => unknown) => work(engine as never)) as never,
      isAcceptingPilots: () => {
        turns += 1;
        return isReady;
      },
      log: silentLogger(),
      pauseMs: 1,
    });
    leftovers.defer('reports', () => availability.stop());
    availability.start();
    await waitFor('some turns', () => turns > 5, patience);
    expect(sent).toEqual([]);
    isReady = true;
    await waitFor('a report', () => sent.length > 0, patience);
    isReady = false;
    const until = turns + 5;
    await waitFor('some turns', () => turns > until, patience);
    const before = sent.length;
    const then = turns + 5;
    await waitFor('some turns', () => turns > then, patience);
    expect(sent).toHaveLength(before);
    expect(sent).not.toContain(false);
  });
});
