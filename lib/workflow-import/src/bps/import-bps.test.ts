import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { detectFormat } from '../import-workflow.js';
import { commandOf, edgesOf, imported, importedWithin, nodeOf, refused, tried } from '../testing.fixture.js';

const job = (name: string, label: string, more: object = {}): object => ({
  id: name,
  job: {
    ...{ node_type: 2, name, label, quanta_counts: { [label]: 1 }, tags: { visit: 42 } },
    executable: { name: 'task', src_uri: '${TASKS_DIR}/bin/task', transfer_executable: false },
    arguments: `--long-log run <FILE:butler> <FILE:runGraphFile> --node {nodeId} --attempt <WMS:attemptNum>`,
    cmdvals: { nodeId: `n-${name}` },
    ...{ request_memory: 2048, request_cpus: 1, request_disk: null, request_walltime: null },
    ...{ number_of_retries: 5, memory_multiplier: 2.0, retry_unless_exit: [1, 2], environment: {} },
    ...more,
  },
});

const simple = (name: string, label = name, more: object = {}): object => ({
  id: name,
  job: { node_type: 2, name, label, executable: { src_uri: 'run' }, arguments: name, ...more },
});

const graph = (
  nodes: readonly object[],
  edges: readonly (readonly [string, string])[] = [],
  more: object = {},
): string =>
  JSON.stringify(
    {
      ...{ directed: true, multigraph: false },
      graph: {
        name: 'night_20261101',
        final: null,
        files: [
          { name: 'butler', src_uri: '/repo/butler.yaml', wms_transfer: false },
          { name: 'runGraphFile', src_uri: 'https://store.test/run/7/run.qg', wms_transfer: true },
        ],
        ...more,
      },
      nodes,
      edges: edges.map(([source, target]) => ({ source, target })),
    },
    null,
    1,
  );

describe('an import of a graph of BPS', () => {
  const nodes = [
    job('isr_1', 'isr'),
    job('isr_2', 'isr'),
    job('coadd_1', 'coadd', { request_memory: 16384 }),
  ];
  const edges = [
    ['isr_1', 'coadd_1'],
    ['isr_2', 'coadd_1'],
  ] as const;
  const { job: final } = simple('finalJob') as { job: object };
  const workflow = imported('bps', { 'graph.json': graph(nodes, edges, { final }) });

  it('has the nodes and edges of the graph, and the final job', () => {
    expect(workflow.name).toBe('night_20261101');
    expect(edgesOf(workflow)).toEqual(['isr_1 -> coadd_1', 'isr_2 -> coadd_1']);
    expect(nodeOf(workflow, 'finalJob')).toMatchObject({ isFinal: true, label: 'finalJob' });
  });

  it('gives labels the requests and retries of their jobs', () => {
    expect(workflow.nodeLabels).toEqual([
      {
        ...{ label: 'isr', requirements: { cores: 1, memoryMiB: 2048 } },
        retry: { maxAttempts: 6, memoryFactor: 2 },
      },
      expect.objectContaining({ label: 'coadd', requirements: { cores: 1, memoryMiB: 16_384 } }),
    ]);
  });

  it('replaces placeholders, and lets workers fetch files that have an address', () => {
    expect(commandOf(workflow, 'isr_2')).toEqual([
      '/bin/sh',
      '-c',
      '${TASKS_DIR}/bin/task --long-log run /repo/butler.yaml run.qg --node n-isr_2 --attempt ${RHIZOME_ATTEMPT}',
    ]);
    expect(nodeOf(workflow, 'isr_2').payload?.inputs).toEqual([
      { name: 'run.qg', location: 'https://store.test/run/7/run.qg' },
    ]);
  });

  it('lets the memory grow by a factor and up to a maximum', () => {
    const grown = (fields: object): string => graph([simple('a', 'x', { number_of_retries: 1, ...fields })]);
    const retryOf = (fields: object) => nodeOf(imported('bps', { 'graph.json': grown(fields) }), 'a').retry;
    expect(retryOf({ memory_multiplier: 1.5, request_memory_max: 16_000 })).toEqual({
      ...{ maxAttempts: 2, memoryFactor: 1.5, maxMemoryMiB: 16_000 },
    });
    expect(retryOf({ memory_multiplier: 1, request_memory_max: 16_000 })).toEqual({ maxAttempts: 2 });
    expect(retryOf({ memory_multiplier: 50 })).toEqual({ maxAttempts: 2, memoryFactor: 10 });
    expect(refused('bps', { 'graph.json': grown({ memory_multiplier: 'much' }) }).join()).toMatch(
      /memory_multiplier.*a number, at least 1/,
    );
  });

  it('notes each field that has no effect once', () => {
    const result = tried('bps', { 'graph.json': graph(nodes, edges) });
    expect('notes' in result && result.notes).toEqual([
      'tags: has no effect',
      expect.stringMatching(/^retry_unless_exit: /),
    ]);
  });

  it('passes edges on through nodes that do nothing', () => {
    const noop = { id: 'barrier', job: { node_type: 1, name: 'barrier', label: 'barrier' } };
    const text = graph(
      [simple('a', 'x'), simple('b', 'x'), noop, simple('c', 'y'), simple('d', 'y')],
      [
        ['a', 'barrier'],
        ['b', 'barrier'],
        ['barrier', 'c'],
        ['barrier', 'd'],
      ],
    );
    expect(edgesOf(imported('bps', { 'graph.json': text }))).toEqual(['[x] -> [y]']);
  });

  it('puts the jobs of a group in its place, which blocks what follows or does not', () => {
    const group = (blocking: boolean): string => {
      const { graph: head, ...inner } = JSON.parse(graph([simple('b'), simple('c')], [['b', 'c']])) as {
        graph: object;
      };
      return graph(
        [simple('a'), { id: 'g', job: { ...inner, graph: { ...head, blocking } } }, simple('d')],
        [
          ['a', 'g'],
          ['g', 'd'],
        ],
      );
    };
    expect(edgesOf(imported('bps', { 'graph.json': group(true) }))).toEqual(['a -> b', 'b -> c', 'c -> d']);
    expect(edgesOf(imported('bps', { 'graph.json': group(false) }))).toEqual([
      ...['a -> b', 'b -> c', 'b -> d ENDED', 'c -> d ENDED'],
    ]);
  });

  it('lets what follows a group wait for all its jobs, if the group does not block', () => {
    const { graph: head, ...inner } = JSON.parse(
      graph(
        ['a', 'b', 'c'].map((name) => simple(name)),
        [
          ['a', 'b'],
          ['c', 'b'],
        ],
      ),
    ) as { graph: object };
    const text = graph(
      [{ id: 'g', job: { ...inner, graph: { ...head, blocking: false } } }, simple('d')],
      [['g', 'd']],
    );
    expect(edgesOf(imported('bps', { 'graph.json': text }))).toEqual([
      ...['a -> b', 'c -> b', 'a -> d ENDED', 'b -> d ENDED', 'c -> d ENDED'],
    ]);
  });

  it('passes edges through many layers of nodes that do nothing', () => {
    const layers = Array.from({ length: 30 }, (_, layer) => [`${layer}:0`, `${layer}:1`, `${layer}:2`]);
    const noops = layers.flat().map((id) => ({ id, job: { name: id, label: 'noop', node_type: 1 } }));
    const edges = layers.flatMap((layer, at) =>
      layer.flatMap((to) => (layers[at - 1] ?? ['a']).map((from) => [from, to] as const)),
    );
    const last = (layers.at(-1) ?? []).map((from) => [from, 'b'] as const);
    const text = graph([simple('a'), ...noops, simple('b')], [...edges, ...last]);
    expect(edgesOf(imported('bps', { 'graph.json': text }))).toEqual(['a -> b']);
  });

  it('runs the commands before and after a job, and keeps its exit code', () => {
    const more = {
      ...{ pre_cmdline: 'echo start', post_cmdline: 'echo end' },
      environment: { PLAIN: '{x}', HOME_DIR: '<ENV:HOME>/x' },
      cmdvals: { x: 1 },
    };
    const workflow = imported('bps', { 'graph.json': graph([simple('a', 'a', more)]) });
    expect(commandOf(workflow, 'a')[2]).toBe(
      'export HOME_DIR="${HOME}/x"\necho start\nrun a\ncode=$?\necho end\nexit $code',
    );
    expect(nodeOf(workflow, 'a').payload?.environment).toEqual([{ name: 'PLAIN', value: '1' }]);
  });

  it('passes on values with variables of the worker as they are, but for the variables', () => {
    const literal = 'a"b `echo c` $(echo d) ${HOME} \\ e';
    const more = {
      ...{ executable: { src_uri: 'printenv' }, arguments: 'PLACE', cmdvals: { literal } },
      environment: { PLACE: '{literal} <ENV:WORKER>' },
    };
    const workflow = imported('bps', { 'graph.json': graph([simple('a', 'a', more)]) });
    const [program = '', ...rest] = commandOf(workflow, 'a');
    const env = { PATH: process.env['PATH'], WORKER: 'w "1"' };
    expect(execFileSync(program, rest, { env, encoding: 'utf8' })).toBe(`${literal} w "1"\n`);
  });

  it('takes requests by label from a submit file', () => {
    const submit = [
      'pipelineYaml: pipeline.yaml',
      'requestWalltime: 3600',
      'requestMemory: 1000',
      'pipetask:\n  isr: { requestMemory: 4000, numberOfRetries: 2 }',
      'cluster:\n  isr: { requestMemory: "6000", priority: 5000 }',
    ].join('\n');
    const files = { 'graph.json': graph(nodes, edges), 'submit.yaml': submit };
    const { nodeLabels } = imported('bps', files, { inputs: 'submit.yaml' });
    expect(nodeLabels?.[0]).toEqual({
      ...{ label: 'isr', priority: 1000, retry: { maxAttempts: 3, memoryFactor: 2 } },
      requirements: { cores: 1, memoryMiB: 6000, walltimeSeconds: 3600 },
    });
    expect(nodeLabels?.[1]).toMatchObject({ requirements: { memoryMiB: 16_384, walltimeSeconds: 3600 } });
  });

  it('imports 20,000 jobs with 100,000 edges in bounded memory', async () => {
    const count = 20_000;
    const many = Array.from({ length: count }, (_, at) =>
      job(`quantum_${at}`, `label${Math.floor(at / 2000)}`),
    );
    const links = Array.from({ length: count * 5 }, (_, at): readonly [string, string] => {
      const to = 2000 + (at % (count - 2000));
      return [`quantum_${to - 2000 + ((Math.floor(at / count) * 7) % 2000)}`, `quantum_${to}`];
    });
    const text = graph(many, links);
    const workflow = await importedWithin(256, 'bps', { 'graph.json': text });
    expect(workflow.nodes).toHaveLength(count);
    expect(workflow.nodeLabels).toHaveLength(10);
  });
});

describe('importBps', () => {
  it.each([
    [
      'an edge to no node',
      graph([simple('a')], [['a', 'b']]),
      'edges.0.target: b is not a node (graph.json:40:4)',
    ],
    [
      'a second node of the name',
      graph([simple('a'), simple('a')]),
      'nodes.a: a second node has the name "a" (graph.json:31:3)',
    ],
    [
      'a job without a program',
      graph([simple('a', 'a', { executable: null })]),
      'nodes.a.job.executable: is missing (graph.json:25:4); a job must have a program',
    ],
    [
      'a program with an address',
      graph([simple('a', 'a', { executable: { src_uri: 'https://store.test/run.sh' } })]),
      'nodes.a.job.executable.src_uri: is a program with an address, and files that workers fetch are not executable (graph.json:26:5); give its path on the workers, or let a shell there run it as <FILE:…>',
    ],
    [
      'a value that is missing',
      graph([simple('a', 'a', { arguments: '{nodeId}' })]),
      'nodes.a.job.arguments: {nodeId} has no value in cmdvals (graph.json:27:4)',
    ],
    [
      'an unknown file',
      graph([simple('a', 'a', { arguments: '<FILE:x>' })]),
      'nodes.a.job.arguments: the file "x" is not known (graph.json:27:4); add it to graph.files',
    ],
    [
      'two files with the same name',
      graph([simple('a', 'a', { arguments: '<FILE:x> <FILE:y>' })], [], {
        files: ['x', 'y'].map((name) => ({
          ...{ name, src_uri: `https://store.test/${name}/data.txt`, wms_transfer: true },
        })),
      }),
      'nodes.a.job: has two inputs with the name "data.txt" (graph.json:22:4); rename one',
    ],
    [
      'an unknown placeholder',
      graph([simple('a', 'a', { arguments: '<WMS:slot>' })]),
      'nodes.a.job.arguments: <WMS:slot> is not known (graph.json:27:4); only <WMS:attemptNum> is',
    ],
    [
      'an end by exit code',
      graph([simple('a', 'a', { abort_on_value: 9 })]),
      'nodes.a.job.abort_on_value: is not supported (graph.json:28:4); a workflow cannot end by an exit code',
    ],
    [
      'a wrong amount',
      graph([simple('a', 'a', { request_memory: 'much' })]),
      'nodes.a.job.request_memory: "much" is not valid (graph.json:28:4); must be a number, at least 1',
    ],
    ['no graph', '{"directed": true}', 'nodes: is missing (graph.json:1:1); must be a list of nodes'],
  ])('refuses a construct, and names it with its place: %s', (_what, text, refusal) => {
    expect(refused('bps', { 'graph.json': text })).toEqual([expect.stringMatching(placeless(refusal))]);
  });

  it('says how to write a pickle as JSON, and that a submit file has no graph', () => {
    const pickle = new Uint8Array([0x80, 0x04, 0x95, 0x10, 0x00]);
    expect(refused('bps', { 'graph.pickle': pickle })).toEqual([
      expect.stringMatching(
        /^is a pickle of Python.*write the graph as JSON with the script in docs\/how-to\/import-workflows\.md/,
      ),
    ]);
    expect(refused('bps', { 'submit.yaml': 'pipelineYaml: x\npayload: {}\n' })).toEqual([
      expect.stringMatching(/^is a BPS submit file, which has no graph; run `bps prepare`/),
    ]);
    expect(detectFormat(pickle, 'graph.pickle')).toBe('bps');
  });
});

/** The refusal with any line: the texts of the graphs are made by a program. */
function placeless(refusal: string): RegExp {
  const literal = refusal.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replace(/graph\\\.json:\d+:\d+/, String.raw`graph\.json:\d+:\d+`)}$`);
}
