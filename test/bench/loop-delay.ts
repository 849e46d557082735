/**
 * Delay of the gateway's event loop by documents that it sees for the first time, and by a swap of its
 * supergraph.
 */
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.types.js';
import type { Row } from './report.js';
import { type Graph, largeGraph, ownGraph } from './swap/graphs.js';
import { type GatewayProcess, startGateway } from './swap/processes.js';

const documentsPerSecond = 50;
const seconds = 10;
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Sends documents at an even pace; answers how many were refused. */
async function sendCold({ url }: GatewayProcess, graph: Graph, first: number): Promise<number> {
  let refused = 0;
  const sent: Promise<void>[] = [];
  for (let index = 0; index < documentsPerSecond * seconds; index++) {
    const body = JSON.stringify({ query: graph.document(first + index) });
    const request = fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    sent.push(
      request.then(async (response) => {
        const answer = (await response.json()) as { data?: unknown };
        if (answer.data === undefined) refused += 1;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000 / documentsPerSecond));
  }
  await Promise.all(sent);
  return refused;
}

/** The supergraph with one more type: its public schema is another one each time. */
function nextVersion(sdl: string, version: number): string {
  const [, first = ''] = /enum join__Graph\s*\{\s*(\w+)/.exec(sdl) ?? [];
  return `${sdl}\ntype Version${version} @join__type(graph: ${first}) { number: Int @join__field(graph: ${first}) }\n`;
}

async function measure(name: string, graph: Graph, goalMs: number): Promise<readonly Row[]> {
  const gateway = await startGateway(graph.sdl);
  try {
    const rows: Row[] = [];
    await sendCold(gateway, graph, 0);
    for (const what of ['cold documents', 'cold documents and swaps'] as const) {
      await gateway.ask({ loop: 'begin' });
      let isOver = false;
      const load = sendCold(gateway, graph, (rows.length + 1) * documentsPerSecond * seconds).finally(
        () => (isOver = true),
      );
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
        { name: `${about}: p99`, value: loop.p99, unit: 'ms', goal: { value: goalMs, better: 'lower' } },
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
  about: `delay of the gateway's event loop with ${documentsPerSecond} cold documents/s and during swaps`,
  async run() {
    return [
      ...(await measure('our supergraph', ownGraph(root), 5)),
      ...(await measure('21 subgraphs with 1,200 types', largeGraph(), 20)),
    ];
  },
};
