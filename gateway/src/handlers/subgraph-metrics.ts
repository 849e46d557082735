import { Counter, Gauge, type Registry } from 'prom-client';
import type { GraphFacts } from '../registry/index.js';
import type { GuardFacts } from '../transports/index.js';

const states = ['UP', 'DOWN', 'HALF_OPEN'] as const;

/** State of the subgraphs by name, read at each scrape. */
export function watchSubgraphs(registry: Registry, read: () => ReadonlyMap<string, GuardFacts>): void {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[], set: (gauge: Gauge) => void): void => {
    const made: Gauge = new Gauge({
      name: `rhizome_gateway_subgraph_${name}`,
      help,
      labelNames,
      registers,
      collect: () => {
        made.reset();
        set(made);
      },
    });
  };
  gauge('state', '1 for the current state of the subgraph', ['subgraph', 'state'], (made) => {
    for (const [subgraph, { state }] of read())
      for (const one of states) made.set({ subgraph, state: one }, one === state ? 1 : 0);
  });
  gauge('calls_running', 'Running queries and mutations of the subgraph', ['subgraph'], (made) => {
    for (const [subgraph, { runningCalls }] of read()) made.set({ subgraph }, runningCalls);
  });
  const calls: Counter = new Counter({
    name: 'rhizome_gateway_subgraph_calls_total',
    help: 'Calls of the subgraph by outcome; rejected ones were not made',
    labelNames: ['subgraph', 'outcome'],
    registers,
    collect: () => {
      calls.reset();
      for (const [subgraph, facts] of read()) {
        const answered = facts.calls - facts.failedCalls - facts.runningCalls;
        calls.inc({ subgraph, outcome: 'answered' }, Math.max(0, answered));
        calls.inc({ subgraph, outcome: 'failed' }, facts.failedCalls);
        calls.inc({ subgraph, outcome: 'refused' }, facts.refusedCalls);
      }
    },
  });
}

/** State of the connection to the schema registry; no metrics without one. */
export function watchGraph(registry: Registry, read: () => GraphFacts | undefined): void {
  const gauge = (name: string, help: string, value: (facts: GraphFacts) => number): void => {
    const made: Gauge = new Gauge({
      name: `rhizome_gateway_schema_${name}`,
      help,
      registers: [registry],
      collect: () => {
        made.reset();
        const facts = read();
        if (facts) made.set(value(facts));
      },
    });
  };
  gauge('version', 'Version of the graph that is served', ({ servedVersion }) => servedVersion);
  gauge(
    'refused_version',
    'Newest version of the graph that could not be served here; 0 for none',
    ({ refusedVersion }) => refusedVersion,
  );
  gauge('registry_followed', '1 while new versions are received', ({ isFollowed }) => (isFollowed ? 1 : 0));
}
