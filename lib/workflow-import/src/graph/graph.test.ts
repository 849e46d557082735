import { describe, expect, it } from '@jest/globals';
import { Refusals } from '../refusals.js';
import { edgesOf } from '../testing.fixture.js';
import { Located } from '../text/located.js';
import type { EdgeCondition, ImportedWorkflow } from '../workflow.types.js';
import type { DraftNode } from './draft.js';
import { finishWorkflow } from './finish.js';
import { Names } from './names.js';

const whole = new Located({
  file: 'graph',
  value: {},
  placesOf: (paths) => paths.map(() => ({ file: 'graph', line: 1, column: 1 })),
});

const draft = (
  name: string,
  label: string,
  from: readonly DraftNode[] = [],
  condition: EdgeCondition = 'SUCCEEDED',
): DraftNode => ({
  ...{ at: whole, name, label },
  edges: from.length > 0 ? [{ from, condition }] : [],
  job: { payload: { command: name } },
});

const finished = (drafts: readonly DraftNode[]): ImportedWorkflow | readonly string[] => {
  const refusals = new Refusals();
  const workflow = finishWorkflow(drafts, { experiment: 'demo', name: 'graph' }, refusals, whole);
  return workflow ?? refusals.list();
};

const made = (drafts: readonly DraftNode[]): ImportedWorkflow => finished(drafts) as ImportedWorkflow;

describe('finishWorkflow', () => {
  const first = [draft('a', 'first'), draft('b', 'first')];

  it('has one edge between labels for all of one before each of another', () => {
    const second = [draft('c', 'second', first), draft('d', 'second', first)];
    expect(edgesOf(made([...first, ...second]))).toEqual(['[first] -> [second]']);
  });

  it('keeps the condition of an edge between labels', () => {
    const second = ['c', 'd'].map((name) => draft(name, 'second', first, 'ENDED'));
    expect(edgesOf(made([...first, ...second]))).toEqual(['[first] -> [second] ENDED']);
  });

  it('keeps single edges where one node differs', () => {
    const second = [draft('c', 'second', first), draft('d', 'second', [...first.slice(0, 1)])];
    expect(edgesOf(made([...first, ...second]))).toEqual(['a -> c', 'b -> c', 'a -> d']);
  });

  it('keeps single edges to nodes that need some of them', () => {
    const second = ['c', 'd'].map((name) => ({ ...draft(name, 'second', first), needed: 1 }));
    expect(edgesOf(made([...first, ...second]))).toHaveLength(4);
  });

  it('depends on a node once', () => {
    const [a] = first as [DraftNode, DraftNode];
    const node = draft('c', 'second', [a]);
    node.edges.push({ from: [a], condition: 'ENDED' });
    expect(edgesOf(made([...first, node]))).toEqual(['a -> c']);
  });

  it('takes a failure for the stricter condition, too', () => {
    const a = draft('a', 'first');
    const node = draft('c', 'second');
    node.edges.push({ from: [a], condition: 'FAILED' }, { from: [a], condition: 'ENDED' });
    expect(edgesOf(made([a, node]))).toEqual(['a -> c FAILED']);
  });

  it('joins ten thousand nodes with ten thousand others in bounded time and memory', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => draft(`a${at}`, 'many'));
    const more = Array.from({ length: 10_000 }, (_, at) => draft(`b${at}`, 'more', many));
    expect(edgesOf(made([...many, ...more]))).toEqual(['[many] -> [more]']);
  });

  it('refuses a cycle and names its nodes', () => {
    const [a, b, c] = [draft('a', 'x'), draft('b', 'x'), draft('c', 'x')];
    a.edges.push({ from: [c], condition: 'SUCCEEDED' });
    b.edges.push({ from: [a], condition: 'SUCCEEDED' });
    c.edges.push({ from: [b], condition: 'SUCCEEDED' });
    expect(finished([a, b, c])).toEqual([
      'the whole: is on a cycle: b → c → a → b (graph:1:1); the graph must have none',
    ]);
  });

  it('follows a chain that is longer than the stack', () => {
    const chain: DraftNode[] = [draft('0', 'x')];
    for (let at = 1; at < 50_000; at += 1) chain.push(draft(String(at), 'x', chain.slice(-1)));
    expect(edgesOf(made(chain.reverse()))).toHaveLength(49_999);
  });

  it('gives labels what their nodes have in common', () => {
    const retry = { maxAttempts: 3 };
    const nodes = ['a', 'b'].map((name) => ({
      ...draft(name, 'x'),
      job: { retry, requirements: { cores: name === 'a' ? 1 : 2 }, payload: { command: 'run' } },
    }));
    const { nodeLabels, nodes: own } = made(nodes);
    expect(nodeLabels).toEqual([{ label: 'x', retry, payload: { command: 'run' } }]);
    expect(own.map(({ requirements }) => requirements)).toEqual([{ cores: 1 }, { cores: 2 }]);
  });

  it('refuses more jobs than a workflow has, and none', () => {
    const many = Array.from({ length: 100_001 }, (_, at) => draft(String(at), 'x'));
    expect(finished(many)).toEqual([expect.stringMatching(/100001 jobs .*at most 100000/)]);
    expect(finished([])).toEqual([expect.stringMatching(/has no job/)]);
  });
});

describe('Names', () => {
  it('makes names valid and unique', () => {
    const names = Names.ofNodes();
    expect(['a', 'a', ' b\n', 'x'.repeat(300), 'x'.repeat(300)].map((text) => names.give(text))).toEqual([
      ...['a', 'a_2', 'b_', 'x'.repeat(200), `${'x'.repeat(198)}_2`],
    ]);
  });

  it('makes labels of letters, digits, dots, lines and hyphens', () => {
    const names = Names.ofLabels();
    expect(['outer/inner', 'outer.inner', 'outer_inner', '-', 'ä'].map((text) => names.give(text))).toEqual([
      ...['outer_inner', 'outer.inner', 'outer_inner_2', 'label', 'label_2'],
    ]);
  });
});
