import { deflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { detectFormat } from '../import-workflow.js';
import { commandOf, edgesOf, imported, nodeOf, refused } from '../testing.fixture.js';

interface Job {
  readonly name: string;
  readonly dependencies?: readonly (readonly [string, string])[];
}

const packed = (value: unknown): string =>
  `idds_zip:${deflateSync(Buffer.from(JSON.stringify(value))).toString('base64')}`;

const mapOf = (jobs: readonly Job[]): readonly object[] =>
  jobs.map(({ name, dependencies = [] }) => ({
    name,
    dependencies: dependencies.map(([task, inputname]) => ({ task, inputname, available: false })),
  }));

const work = (task: string, jobs: readonly Job[], more: object = {}): object => ({
  class: 'DomaPanDAWork',
  module: 'idds.doma.work',
  attributes: {
    ...{ task_name: task, executable: 'run --input ${IN/L} > log', core_count: 2, task_rss: 4000 },
    ...{ maxWalltime: 90_000, maxAttempt: 3, task_priority: 900, task_queue: null, queue: 'LARGE' },
    ...{ _dependency_map: packed(mapOf(jobs)), _zip_items: ['_dependency_map'] },
    ...more,
  },
});

const condition = (
  conditions: readonly (readonly [string, string])[],
  trueWorks: readonly string[],
  { operator = 'And', falseWorks = [] as readonly string[] } = {},
): object => ({
  class: 'AndCondition',
  module: 'idds.workflow',
  attributes: {
    _conditions: conditions.map(([id, method]) => ({ idds_method: method, idds_method_internal_id: id })),
    ...{ _true_works: trueWorks, _false_works: falseWorks },
    operator: { class: 'ConditionOperator', attributes: { _name_: operator } },
  },
});

const workflowOf = (
  works: Readonly<Record<string, object>>,
  conditions: readonly object[] = [],
  more: object = {},
): object => ({
  class: 'Workflow',
  module: 'idds.workflow',
  attributes: {
    template: {
      class: 'WorkflowBase',
      module: 'idds.workflow',
      attributes: {
        ...{ _name: 'night', _works: works, _loop_condition: null, parameter_links: {} },
        _conditions: Object.fromEntries(conditions.map((one, at) => [`c${at}`, one])),
        ...more,
      },
    },
  },
});

const text = (value: object): { readonly 'work.json': string } => ({
  'work.json': JSON.stringify(value, null, 1),
});

const isr = work('isr', [{ name: 'isr+1' }, { name: 'isr+2' }]);
const coadd = work('coadd', [
  {
    name: 'coadd+1',
    dependencies: [
      ['isr', 'isr+1'],
      ['isr', 'isr+2'],
    ],
  },
  { name: 'coadd+2', dependencies: [['isr', 'isr+2']] },
]);

describe('an import of a workflow of iDDS', () => {
  const final = work('final', [], { _dependency_map: null });
  const files = text(
    workflowOf({ w1: isr, w2: coadd, w3: final }, [condition([['w2', 'is_terminated']], ['w3'])]),
  );
  const workflow = imported('idds', files);

  it('has a node for each job, and the edges of the dependency maps', () => {
    expect(workflow.name).toBe('night');
    expect(edgesOf(workflow)).toEqual([
      ...['isr:isr+1 -> coadd:coadd+1', 'isr:isr+2 -> coadd:coadd+1', 'isr:isr+2 -> coadd:coadd+2'],
      ...['coadd:coadd+1 -> final:pseudo_file ENDED', 'coadd:coadd+2 -> final:pseudo_file ENDED'],
    ]);
  });

  it('runs the command of the task with the name of the job, as PanDA does', () => {
    expect(commandOf(workflow, 'coadd:coadd+2')).toEqual(['/bin/bash', '-c', 'run --input coadd+2 > log']);
  });

  it('gives labels the resources of their tasks', () => {
    expect(workflow.nodeLabels?.[0]).toEqual({
      ...{ label: 'isr', priority: 900, retry: { maxAttempts: 3 } },
      requirements: { cores: 2, memoryMiB: 4000, walltimeSeconds: 90_000, queue: 'LARGE' },
    });
  });

  it('has an edge between labels for a condition between tasks of several jobs', () => {
    const second = work('second', [{ name: 'x' }, { name: 'y' }]);
    const both = workflowOf({ w1: isr, w2: second }, [condition([['w1', 'is_finished']], ['w2'])]);
    expect(edgesOf(imported('idds', text(both)))).toEqual(['[isr] -> [second]']);
  });

  it('needs one of several edges for Or', () => {
    const [one, two, three] = ['one', 'two', 'three'].map((name) => work(name, [{ name }]));
    const any = workflowOf({ one: one as object, two: two as object, three: three as object }, [
      condition(
        [
          ['one', 'is_finished'],
          ['two', 'is_failed'],
        ],
        ['three'],
        { operator: 'Or' },
      ),
    ]);
    const made = imported('idds', text(any));
    expect(edgesOf(made)).toEqual(['one:one -> three:three', 'two:two -> three:three FAILED']);
    expect(nodeOf(made, 'three:three').needed).toBe(1);
  });

  const [one, two] = ['one', 'two'].map((name) => work(name, [{ name }])) as [object, object];
  const xy = (task: string, more: readonly (readonly [string, string])[] = []): object =>
    work(task, [{ name: 'x' }, { name: 'y', dependencies: [[task, 'x'], ...more] }]);
  const or = (first: string, second: string, target: string): object =>
    condition(
      [
        [first, 'is_finished'],
        [second, 'is_failed'],
      ],
      [target],
      { operator: 'Or' },
    );

  it('refuses Or for jobs that have dependencies, too, also in a workflow within', () => {
    const problem =
      /^attributes\S*\._conditions\.c0\.attributes: Or is not supported for jobs with dependencies, such as three:y/;
    const direct = workflowOf({ one, two, three: xy('three') }, [or('one', 'two', 'three')]);
    const within = workflowOf({ one, two, three: workflowOf({ inner: xy('three') }) }, [
      or('one', 'two', 'three'),
    ]);
    for (const one of [direct, within])
      expect(refused('idds', text(one))).toEqual([expect.stringMatching(problem)]);
  });

  it('refuses conditions for jobs that start by Or', () => {
    const inner = workflowOf(
      { a: work('a', [{ name: 'a' }]), b: work('b', [{ name: 'b' }]), c: work('c', [{ name: 'c' }]) },
      [or('a', 'b', 'c')],
    );
    const outer = workflowOf({ one, inner }, [condition([['one', 'is_finished']], ['inner'])]);
    expect(refused('idds', text(outer))).toEqual([
      expect.stringMatching(/Or is not supported for jobs with dependencies, such as c/),
    ]);
  });

  it.each([
    ['Or', 'is_finished', 'is_failed'],
    ['And', 'is_failed', 'is_terminated'],
    ['And', 'is_finished', 'is_failed'],
  ])('refuses two conditions on one job: %s of %s and %s', (operator, first, second) => {
    const both = condition(
      [
        ['one', first],
        ['one', second],
      ],
      ['two'],
      { operator },
    );
    expect(refused('idds', text(workflowOf({ one, two }, [both])))).toEqual([
      expect.stringMatching(/c0\.attributes: has two conditions on one:one .*; name each work once/),
    ]);
  });

  it('refuses a failure of a job that is needed, and a condition without conditions', () => {
    const never = workflowOf({ one, three: xy('three', [['one', 'one']]) }, [
      condition([['one', 'is_failed']], ['three']),
    ]);
    expect(refused('idds', text(never))).toEqual([
      expect.stringMatching(/c0\.attributes: can never hold for three:y, which needs the success of one:one/),
    ]);
    expect(refused('idds', text(workflowOf({ one, two }, [condition([], ['two'])])))).toEqual([
      expect.stringMatching(/c0\.attributes\._conditions: has no conditions/),
    ]);
  });

  it('runs works of a condition that is false after a failure', () => {
    const [one, two] = ['one', 'two'].map((name) => work(name, [{ name }]));
    const branch = workflowOf({ one: one as object, two: two as object }, [
      condition([['one', 'is_finished']], [], { falseWorks: ['two'] }),
    ]);
    expect(edgesOf(imported('idds', text(branch)))).toEqual(['one:one -> two:two FAILED']);
  });

  it('puts the works of a workflow within a workflow in its place', () => {
    const outer = workflowOf({ w1: isr, w2: workflowOf({ v: coadd }) });
    expect(edgesOf(imported('idds', text(outer)))).toHaveLength(3);
  });

  it('reads jobs that are not packed, and a single work', () => {
    const plain = work('plain', [], { _dependency_map: mapOf([{ name: 'a' }]) });
    expect(imported('idds', text(plain)).nodes.map(({ name }) => name)).toEqual(['plain:a']);
  });

  it('imports 20,000 jobs', () => {
    const jobs = Array.from({ length: 20_000 }, (_, at): Job => {
      const dependencies = at < 1000 ? [] : [['many', `job${at - 1000}`] as const];
      return { name: `job${at}`, dependencies };
    });
    const made = imported('idds', text(work('many', jobs)));
    expect(made.nodes).toHaveLength(20_000);
    expect(edgesOf(made)).toHaveLength(19_000);
  });

  it('makes loops of workflows that are repeated, with the works that follow them', () => {
    const inner = workflowOf(
      { fit: work('fit', [{ name: 'fit' }]), check: work('check', [{ name: 'check' }]) },
      [condition([['fit', 'is_finished']], ['check'])],
      { _name: 'again', _loop_condition: condition([['check', 'is_failed']], []) },
    );
    const whole = workflowOf({ inner, plot: work('plot', [{ name: 'plot' }]) }, [
      condition([['inner', 'is_finished']], ['plot']),
    ]);
    const { nodes, templates, groupEdges } = imported('idds', text(whole));
    expect(nodes.map(({ name, subgraph, dependsOn }) => ({ name, subgraph, dependsOn }))).toEqual([
      {
        name: 'again',
        subgraph: {
          ...{ template: 'again', maxIterations: 100, until: 'result.state != "FAILED"' },
          resultNode: 'check:check',
        },
        dependsOn: undefined,
      },
      { name: 'plot:plot', subgraph: undefined, dependsOn: [{ node: 'again' }] },
    ]);
    expect(templates).toMatchObject([
      {
        name: 'again',
        nodes: [
          { name: 'fit:fit', payload: { command: '/bin/bash' } },
          { name: 'check:check', dependsOn: [{ node: 'fit:fit' }] },
        ],
      },
    ]);
    expect([groupEdges, nodes[0]?.payload]).toEqual([undefined, undefined]);
  });

  it('is detected', () => {
    expect(detectFormat(Buffer.from(files['work.json']), 'work.json')).toBe('idds');
  });
});

describe('importIdds', () => {
  it.each([
    [
      'a loop over the ends of several jobs',
      workflowOf({ w1: isr }, [], { _loop_condition: condition([['w1', 'is_finished']], []) }),
      '_loop_condition.attributes._conditions.0.idds_method: is about the end of 2 jobs (work.json:50:10); the condition of a loop can be about one job',
    ],
    [
      'a loop without an end',
      workflowOf({ w1: work('one', [{ name: 'x' }]) }, [], {
        _loop_condition: condition([['w1', 'is_terminated']], []),
      }),
      '_loop_condition.attributes._conditions.0.idds_method: is_terminated of a loop is not supported (work.json:50:10); is_finished and is_failed of a work are',
    ],
    [
      'a dependency on a job outside of a loop',
      workflowOf({
        w1: isr,
        inner: workflowOf({ w2: work('two', [{ name: 'y', dependencies: [['isr', 'isr+1']] }]) }, [], {
          _loop_condition: condition([['w2', 'is_failed']], []),
        }),
      }),
      '_works.inner.attributes.template.attributes._works.w2.attributes._dependency_map.0.dependencies.0: "isr+1" and the job that depends on it are not in the same loop (work.json:50:10); begin the loop by a condition',
    ],
    [
      'parameters',
      workflowOf({ w1: isr }, [], { parameter_links: { x: {} } }),
      'parameter_links: parameters of works are not passed on; write them into the executables (work.json:34:5)',
    ],
    [
      'another work',
      workflowOf({ w1: { class: 'DomaDataWork', attributes: {} } }),
      '_works.w1.class: the work "DomaDataWork" is not supported (work.json:12:7); only DomaPanDAWork is, with a dependency map',
    ],
    [
      'a method that edges do not know',
      workflowOf({ w1: isr, w2: coadd }, [condition([['w1', 'is_started']], ['w2'])]),
      '_conditions.c0.attributes._conditions.0.idds_method: is_started is not supported (work.json:70:10); is_finished, is_terminated and is_failed of a work are',
    ],
    [
      'a failure of several jobs',
      workflowOf({ w1: isr, w2: coadd }, [condition([['w1', 'is_failed']], ['w2'])]),
      '_conditions.c0.attributes._conditions.0.idds_method: is about the failure of 2 jobs (work.json:70:10); a condition on failure can be about one job',
    ],
    [
      'a job that does not exist',
      workflowOf({ w2: coadd }),
      '_works.w2.attributes._dependency_map.0.dependencies.0: "isr" has no job "isr+1" (work.json:24:8); a dependency names a task of the file and one of its jobs',
    ],
    [
      'a map on a server',
      workflowOf({ w: work('w', [], { _dependency_map: { idds_dependency_map_file: '/tmp/x' } }) }),
      '_works.w.attributes._dependency_map.idds_dependency_map_file: is a file of the iDDS server (work.json:25:9); write the list of jobs in its place',
    ],
    [
      'a map that is broken',
      workflowOf({ w: work('w', [], { _dependency_map: 'idds_zip:xx' }) }),
      '_works.w.attributes._dependency_map: cannot be unpacked (work.json:24:8); write it as a list of jobs',
    ],
    [
      'a name for a shell',
      workflowOf({ w: work('w', [], { _dependency_map: [{ name: 'a; rm b', dependencies: [] }] }) }),
      '_works.w.attributes._dependency_map.0: the name "a; rm b" has characters that a shell interprets (work.json:25:9)',
    ],
  ])('refuses a construct, and names it with its place: %s', (_what, value, refusal) => {
    const refusals = refused('idds', text(value));
    const whole =
      refusal.startsWith('_') || refusal.startsWith('p')
        ? `attributes.template.attributes.${refusal}`
        : refusal;
    const lineless = (one: string): string => one.replace(/work\.json:\d+:\d+/, 'work.json');
    expect(refusals.map(lineless)[0]).toBe(lineless(whole));
    expect(refusals[0]).toMatch(/\(work\.json:\d+:\d+\)/);
  });
});
