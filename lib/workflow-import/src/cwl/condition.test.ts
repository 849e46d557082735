import { describe, expect, it } from '@jest/globals';
import { edgesOf, imported, nodeOf, refused } from '../testing.fixture.js';
import { stepOf, workflowOf } from './cwl.fixture.js';

/** Two steps, and one with a condition. */
const conditional = (when: string, ins = 'a: a/file, b: b/file'): string =>
  workflowOf(
    `${stepOf('a', 'in: []')}${stepOf('b', 'in: []')}${stepOf('c', `in: { ${ins} }\nwhen: ${when}`)}`,
  );

const edges = (when: string, ins?: string): readonly string[] =>
  edgesOf(imported('cwl', { 'graph.cwl': conditional(when, ins) }));

describe('a condition on results of steps', () => {
  it.each([
    ['$(inputs.a)', ['a -> c', 'b -> c']],
    ['$(!inputs.a)', ['a -> c FAILED', 'b -> c']],
    ['$(self.a && !self.b)', ['a -> c', 'b -> c FAILED']],
    ['$(!(inputs.a || inputs.b))', ['a -> c FAILED', 'b -> c FAILED']],
    ['$(inputs.a !== null)', ['a -> c', 'b -> c']],
    ['"${return inputs.a && !inputs.b;}"', ['a -> c', 'b -> c FAILED']],
    ['$(!!inputs.a)', ['a -> c', 'b -> c']],
  ])('becomes edges: %s', (when, expected) => {
    expect(edges(when)).toEqual(expected);
  });

  /** A step whose output is of a type, and one with a condition on it. */
  const onOutput = (type: string, when: string, glob = 'a.txt'): string =>
    workflowOf(
      `${stepOf('a', 'in: []').replace('type: File', `type: ${type}`).replace('a.txt', glob)}${stepOf('c', `in: { a: a/file }\nwhen: ${when}`)}`,
    );

  it.each(['boolean', 'int', 'string', 'Any', '"File?"', '"File[]?"'])(
    'is refused if the value of a result decides, and not the end of its step: %s',
    (type) => {
      for (const when of ['$(inputs.a)', '$(!inputs.a)', '$(inputs.a !== null)'])
        expect(refused('cwl', { 'graph.cwl': onOutput(type, when, '"*.txt"') })).toEqual([
          expect.stringMatching(
            /^steps\.c\.when: the value of inputs\.a is known only when a has run .*; use self\.a for the success/,
          ),
        ]);
      const bySelf = onOutput(type, '$(!self.a)', '"*.txt"');
      expect(edgesOf(imported('cwl', { 'graph.cwl': bySelf }))).toEqual(['a -> c FAILED']);
    },
  );

  it.each(['File', 'Directory', '"File[]"'])(
    'becomes an edge if it is about files that exist if a step succeeds: %s',
    (type) => {
      const text = onOutput(type, '$(inputs.a !== null)', '"*.txt"');
      expect(edgesOf(imported('cwl', { 'graph.cwl': text }))).toEqual(['a -> c']);
    },
  );

  it('is refused if it is about an optional file, whose name is known', () => {
    expect(refused('cwl', { 'graph.cwl': onOutput('"File?"', '$(inputs.a !== null)') })).toEqual([
      expect.stringContaining('the value of inputs.a is known only when a has run'),
    ]);
  });

  it('is refused if a step that is skipped would have no edge for it', () => {
    const steps = (when: string): string =>
      workflowOf(
        `${stepOf('a', 'in: []')}${stepOf('b', 'in: { a: a/file }\nwhen: $(!inputs.a)')}${stepOf('c', `in: { b: b/file }\nwhen: ${when}`)}`,
      );
    expect(refused('cwl', { 'graph.cwl': steps('$(!inputs.b)') })).toEqual([
      expect.stringMatching(/^steps\.c\.when: holds also if b is skipped/),
    ]);
    expect(edgesOf(imported('cwl', { 'graph.cwl': steps('$(!self.b)') }))).toContain('b -> c FAILED');
    expect(edgesOf(imported('cwl', { 'graph.cwl': steps('$(inputs.b)') }))).toContain('b -> c');
  });

  it('lets a step have the names of files of steps that fail', () => {
    const name =
      'a: { source: a/file, valueFrom: $(self.basename) }, b: { source: b/file, valueFrom: $(self.basename) }';
    const ins = `${name}, x: a/file, y: b/file`;
    expect(edges('$(!self.x && self.y)', ins)).toEqual(['a -> c FAILED', 'b -> c']);
    const workflow = imported('cwl', { 'graph.cwl': conditional('$(!self.x || self.y)', ins) });
    expect([edgesOf(workflow), nodeOf(workflow, 'c').needed]).toEqual([['a -> c FAILED', 'b -> c'], 1]);
  });

  it('needs one of several edges for ||', () => {
    const workflow = imported('cwl', { 'graph.cwl': conditional('$(self.a || !self.b)') });
    expect(edgesOf(workflow)).toEqual(['a -> c', 'b -> c FAILED']);
    expect(nodeOf(workflow, 'c').needed).toBe(1);
  });

  it('holds for all jobs of a workflow within the step', () => {
    const inner = workflowOf(`${stepOf('x', 'in: []')}${stepOf('y', 'in: { x: x/file }')}`);
    const outer = workflowOf(
      `${stepOf('a', 'in: []')}inner:\n  run: inner.cwl\n  in: { a: a/file }\n  out: []\n  when: $(!inputs.a)\n`,
    );
    expect(edgesOf(imported('cwl', { 'outer.cwl': outer, 'inner.cwl': inner }))).toEqual([
      ...['a -> inner/x FAILED', 'a -> inner/y FAILED', 'inner/x -> inner/y'],
    ]);
  });

  it.each([
    ['$(inputs.a == null)', 'computes with values that are not known on import'],
    ['$(inputs.a > 3)', 'computes with values that are not known on import'],
    ['$(inputs.a && (inputs.b || !inputs.a))', 'mixes && and || over results of steps'],
    ['$(runtime.a)', 'runtime.a is not known in a condition'],
    ['$(a)', 'a is not known in a condition'],
    ['$(inputs.a.size())', 'the condition is not supported'],
    ['"${ var x = 1; return x; }"', 'the condition is not supported'],
  ])('is refused where no edge says the same: %s', (when, problem) => {
    const [refusal, ...more] = refused('cwl', { 'graph.cwl': conditional(when) });
    expect(more).toEqual([]);
    expect(refusal).toMatch(/^steps\.c\.when: .*\(graph\.cwl:30:5\)/);
    expect(refusal).toContain(problem);
  });

  it('is refused if it can never hold', () => {
    expect(refused('cwl', { 'graph.cwl': conditional('$(inputs.a && !inputs.a)') })).toEqual([
      expect.stringMatching(
        /^steps\.c\.when: can never hold: it needs both the success and the failure of a/,
      ),
    ]);
  });

  it('is refused if it is about the failure of a scattered step', () => {
    const text = workflowOf(
      `${stepOf('a', 'in: { x: n }\nscatter: x')}${stepOf('c', 'in: { a: a/file }\nwhen: $(!inputs.a)')}`,
      { inputs: 'n: { type: "int[]", default: [1, 2] }' },
    );
    expect(refused('cwl', { 'graph.cwl': text })).toEqual([
      expect.stringMatching(/^steps\.c\.when: is about 2 jobs of a scattered step/),
    ]);
    const one = text.replace('$(!inputs.a)', '$(!inputs.a[1])');
    expect(edgesOf(imported('cwl', { 'graph.cwl': one }))).toEqual(['a.1 -> c FAILED', 'a.0 -> c']);
  });
});

describe('a result of a step that may be skipped', () => {
  /** A step that runs if another fails, and one that takes its file as an input of a type. */
  const after = (input: string, type: string, more = ''): string =>
    workflowOf(
      `${stepOf('a', 'in: []')}${stepOf('b', 'in: { a: a/file }\nwhen: $(!inputs.a)')}${stepOf('c', `in: { ${input} }${more}`).replace("x: 'Any?'", `x: ${type}`)}`,
    );
  const problem = 'is null if the step that gives it is skipped, which is not known on import';

  it.each([
    ['an optional file', 'x: b/file', '"File?"', 'steps.c.in.x'],
    ['anything or null', 'x: b/file', '[Any, "null"]', 'steps.c.in.x'],
    ['a default of the step', 'x: { source: b/file, default: hello }', 'Any', 'steps.c.in.x.default'],
    [
      'a default of the tool',
      'x: b/file',
      '{ type: File, default: { class: File, location: "http://d.test/f" } }',
      'steps.c.in.x',
    ],
    ['merged results', 'x: { source: [a/file, b/file] }', '"File[]"', 'steps.c.in.x'],
    [
      'results in one list',
      'x: { source: [a/file, b/file], linkMerge: merge_flattened }',
      '"File[]"',
      'steps.c.in.x',
    ],
    ['an input that the tool does not have', 'z: b/file', '"Any?"', 'steps.c.in.z'],
  ])('is refused where a tool would run with null: %s', (_what, input, type, at) => {
    expect(refused('cwl', { 'graph.cwl': after(input, type) })).toEqual([
      expect.stringContaining(`${at}: ${problem}`),
    ]);
  });

  it('is refused as an input with a default of a workflow', () => {
    const inner = workflowOf(stepOf('i', 'in: { x: v }'), { inputs: 'v: { type: Any, default: 1 }' });
    const text = `${after('x: a/file', '"Any?"')}  d:\n    run: inner.cwl\n    in: { v: b/file }\n    out: []\n`;
    expect(refused('cwl', { 'graph.cwl': text, 'inner.cwl': inner })).toContainEqual(
      expect.stringContaining(`steps.d.in.v: ${problem}`),
    );
  });

  it('lets the step that needs it be skipped with it if it is a required file', () => {
    const made = edgesOf(imported('cwl', { 'graph.cwl': after('x: b/file', 'File') }));
    expect(made).toEqual(['a -> b FAILED', 'b -> c']);
  });

  it('can be optional in steps that run under the same condition', () => {
    const inner = workflowOf(`${stepOf('x', 'in: []')}${stepOf('y', 'in: { x: [x/file, x/file] }')}`);
    const outer = workflowOf(
      `${stepOf('a', 'in: []')}inner:\n  run: inner.cwl\n  in: { a: a/file }\n  out: []\n  when: $(!inputs.a)\n`,
    );
    expect(edgesOf(imported('cwl', { 'outer.cwl': outer, 'inner.cwl': inner }))).toContain(
      'inner/x -> inner/y',
    );
    const same = after('x: b/file', '"File?"', '\nwhen: $(inputs.x)');
    expect(edgesOf(imported('cwl', { 'graph.cwl': same }))).toContain('b -> c');
  });
});

describe('a condition on inputs', () => {
  const names = (when: string): readonly string[] => {
    const text = workflowOf(`${stepOf('a', 'in: []')}${stepOf('c', `in: { n: n, s: s }\nwhen: ${when}`)}`, {
      inputs: 'n: { type: int, default: 4 }\ns: { type: "string?" }',
    });
    return imported('cwl', { 'graph.cwl': text }).nodes.map(({ name }) => name);
  };

  it.each([
    ['$(inputs.n > 3 && inputs.n <= 4)', true],
    ['$(inputs.n % 2 == 1)', false],
    ['$(inputs.s === null)', true],
    ["$(inputs.s == 'x' || inputs.n * 2 - 1 === 7)", true],
    ['$(!(inputs.n < 5))', false],
    ['$(-inputs.n + 10 / 2 != 1)', false],
    ["$('a' + 'b' < 'b')", true],
  ])('is decided on import: %s', (when, isMet) => {
    expect(names(when)).toEqual(isMet ? ['a', 'c'] : ['a']);
  });

  it.each([['inputs.n == "4"'], ['inputs.n != true'], ['0 == false']])(
    'is refused if it compares values of two types, which JavaScript converts: %s',
    (condition) => {
      expect(() => names(`'$(${condition})'`)).toThrow(/of different types .*; use === and !==/);
      expect(names(`'$(${condition.replace(/([!=]=)/, '$1=')})'`)).toEqual(
        condition.includes('!') ? ['a', 'c'] : ['a'],
      );
    },
  );

  it('must be true or false', () => {
    expect(() => names('$(inputs.n)')).toThrow(
      /steps\.c\.when: the condition is 4 .*it must be true or false/,
    );
  });

  it('lets the steps after a step that is left out have null', () => {
    const text = workflowOf(
      `${stepOf('a', 'in: { n: n }\nwhen: $(inputs.n > 5)')}${stepOf('b', 'in: []')}${stepOf('c', 'in: { x: { source: [a/file, b/file], pickValue: first_non_null } }')}`,
      { inputs: 'n: { type: int, default: 4 }' },
    );
    expect(edgesOf(imported('cwl', { 'graph.cwl': text }))).toEqual(['b -> c']);
  });
});
