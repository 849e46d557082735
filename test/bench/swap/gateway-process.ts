/**
 * A gateway in its own process whose subgraphs answer immediately without data, so that only the gateway is
 * measured. Its parent says which supergraph to serve, and asks for measurements.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { buildGateway, type Gateway, serveGateway, type Transport } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { collectGarbage } from '../collect-garbage.js';
import { residentMiB } from '../cpu.js';
import { childrenOf } from './processes.js';
import type { Ask, Answer } from './messages.types.js';

/**
 * Between two looks at the loop, in milliseconds. What the histogram counts is the time from one look to the
 * next: an idle loop shows this, not 0.
 */
const resolution = 1;
const delay = monitorEventLoopDelay({ resolution });
const lateMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution);
let gateway: Gateway | undefined;
let tickEveryMs = 100;
/** One count for all versions of the graph: what a stream resumes by. */
let ticks = 0;

const values: Readonly<Record<string, unknown>> = { d: 'text', a: 1, e: [1, 2], name: 'job', number: 1 };

/** A value for each selected field, by its name. */
function valuesFor(set: SelectionSetNode, type: string): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const node of set.selections) {
    if (node.kind !== Kind.FIELD) {
      if (node.kind === Kind.INLINE_FRAGMENT) Object.assign(made, valuesFor(node.selectionSet, type));
      continue;
    }
    made[node.alias?.value ?? node.name.value] = valueOf(node, type);
  }
  return made;
}

function valueOf(node: FieldNode, type: string): unknown {
  const name = node.name.value;
  if (name === '__typename') return type;
  if (name === 'id') return 'j1';
  if (!node.selectionSet) return values[name] ?? null;
  if (name === 'jobs') return ['j1', 'j2', 'j3'].map((id) => ({ ...valuesFor(jobSet(node), 'Job'), id }));
  return valuesFor(node.selectionSet, name === 'g' ? 'Job' : 'X');
}

function jobSet({ selectionSet }: FieldNode): SelectionSetNode {
  return selectionSet ?? { kind: Kind.SELECTION_SET, selections: [] };
}

const transport: Transport = {
  wire: 'objects',
  execute: async ({ operation, variables }) => {
    const definition = operation.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
    const data: Record<string, unknown> = {};
    for (const node of definition?.selectionSet.selections ?? []) {
      if (node.kind !== Kind.FIELD) continue;
      const key = node.alias?.value ?? node.name.value;
      const variable = node.arguments?.[0]?.value;
      if (node.name.value === '_entities' && variable?.kind === Kind.VARIABLE) {
        const representations = variables?.[variable.name.value] as readonly unknown[];
        data[key] = representations.map(() => valuesFor(jobSet(node), 'Job'));
      } else data[key] = valueOf(node, 'Query');
    }
    return { data };
  },
  subscribe: ({ operation, variables }) => ticked(operation.document, variables),
  close: async () => {},
};

/** Ticks after a cursor, which is a number, and then those to come. */
async function* ticked(
  document: Parameters<Transport['subscribe']>[0]['operation']['document'],
  variables: Readonly<Record<string, unknown>> | undefined,
): AsyncGenerator<{ data: Record<string, unknown> }> {
  const definition = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  const field = definition?.selectionSet.selections.find((node) => node.kind === Kind.FIELD);
  if (!field) return;
  const after = Object.values(variables ?? {}).find((value) => typeof value === 'string');
  const key = field.alias?.value ?? field.name.value;
  let next = after === undefined ? ticks : Number(after) + 1;
  for (;;) {
    for (; next < ticks; next++) {
      const tick: Record<string, unknown> = {};
      for (const node of jobSet(field).selections) {
        if (node.kind !== Kind.FIELD) continue;
        const name = node.name.value;
        tick[node.alias?.value ?? name] =
          name === 'cursor' ? String(next) : name === 'number' ? next : 'Tick';
      }
      yield { data: { [key]: tick } };
    }
    await new Promise((resolve) => setTimeout(resolve, tickEveryMs));
  }
}

async function answer(ask: Ask): Promise<Answer> {
  if ('serve' in ask) {
    tickEveryMs = ask.tickMs;
    setInterval(() => (ticks += 1), tickEveryMs).unref();
    gateway = await buildGateway({
      supergraphSdl: ask.serve,
      transports: () => transport,
      verifier: undefined,
      log: silentLogger(),
    });
    return { url: (await serveGateway(gateway, { port: 0 })).url };
  }
  if ('swap' in ask) {
    await gateway?.swap(ask.swap);
    return {};
  }
  if ('memory' in ask) {
    const planners = childrenOf(process.pid);
    const plannersMiB = planners.reduce((sum, pid) => sum + residentMiB(pid), 0);
    return { memory: { ownMiB: residentMiB(process.pid), plannersMiB, planners: planners.length } };
  }
  if ('heap' in ask) {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return { heap: { usedMiB: heapUsed / 2 ** 20, externalMiB: external / 2 ** 20 } };
  }
  if (ask.loop === 'begin') {
    delay.reset();
    delay.enable();
    return {};
  }
  delay.disable();
  return {
    loop: { p50: lateMs(delay.percentile(50)), p99: lateMs(delay.percentile(99)), max: lateMs(delay.max) },
  };
}

process.on('message', (ask: Ask) => {
  answer(ask).then(
    (answered) => process.send?.(answered),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
