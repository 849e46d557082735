/**
 * Delay of the gateway's event loop by documents that it sees for the first time, and by a swap of its
 * supergraph.
 */
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { inLoops, scaledRate } from './loops.js';
import type { Row } from './report.js';
import { type Graph, largeGraph, ownGraph } from './swap/graphs.js';
import { type GatewayProcess, startGateway } from './swap/processes.js';

/** Documents per second on the machine for which the goals were set. */
const referenceRate = 50;
const seconds = 10;
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Documents at an even pace. */
interface Documents {
  readonly graph: Graph;
  readonly perSecond: number;
}

/** Sends documents that were not sent before; answers how many were refused. */
async function sendCold(
  { url }: GatewayProcess,
  { graph, perSecond }: Documents,
  round: number,
): Promise<number> {
  const count = perSecond * seconds;
  let refused = 0;
  const sent: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    const body = JSON.stringify({ query: graph.document(round * count + index) });
    const request = fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    sent.push(
      request.then(async (response) => {
        const answer = (await response.json()) as { data?: unknown };
        if (answer.data === undefined) refused += 1;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000 / perSecond));
  }
  await Promise.all(sent);
  return refused;
}

/** The supergraph with one more type: its public schema is another one each time. */
function nextVersion(sdl: string, version: number): string {
  const [, first = ''] = /enum join__Graph\s*\{\s*(\w+)/.exec(sdl) ?? [];
  return `${sdl}\ntype Version${version} @join__type(graph: ${first}) { number: Int @join__field(graph: ${first}) }\n`;
}

async function measure(
  name: string,
  graph: Graph,
  most: number,
  machine: Calibration,
): Promise<readonly Row[]> {
  const gateway = await startGateway(graph.sdl);
  try {
    const rows: Row[] = [];
    const documents = { graph, perSecond: scaledRate(referenceRate, machine) };
    await sendCold(gateway, documents, 0);
    for (const what of ['cold documents', 'cold documents and swaps'] as const) {
      await gateway.ask({ loop: 'begin' });
      let isOver = false;
      const load = sendCold(gateway, documents, rows.length + 1).finally(() => (isOver = true));
      // One swap after the other: all of the time is that of a swap.
      let swaps = 0;
      while (what === 'cold documents and swaps' && !isOver) {
        await gateway.ask({ swap: nextVersion(graph.sdl, swaps++) });
      }
      const refused = await load;
      const { loop } = await gateway.ask({ loop: 'end' });
      if (!loop) throw new Error('the loop was not measured');
      const about = `loop, ${name}, ${swaps === 0 ? what : `cold documents and ${swaps} swaps`}`;
      rows.push(
        { name: `${about}: p99`, value: loop.p99, unit: 'ms' },
        inLoops({ name: `${about}: p99`, ms: loop.p99, most }, machine),
        { name: `${about}: longest`, value: loop.max, unit: 'ms' },
        { name: `${about}: refused`, value: refused, unit: '', goal: { value: 0, better: 'lower' } },
      );
    }
    return rows;
  } finally {
    await gateway.stop();
  }
}

/** The benchmark `loop-delay`. */
export const loopDelay: Bench = {
  name: 'loop-delay',
  about: "delay of the gateway's event loop with cold documents and during swaps",
  async run({ machine }) {
    return [
      ...(await measure('our supergraph', ownGraph(root), 0.05, machine)),
      ...(await measure('21 subgraphs with 1,200 types', largeGraph(), 0.2, machine)),
    ];
  },
};
