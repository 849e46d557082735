import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, imported, nodeOf, refused } from '../testing.fixture.js';

const tool = (inputs: string, more = ''): string =>
  `cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: run\n${more}\ninputs:\n${inputs.replace(/^/gm, '  ')}\noutputs: {}\n`;

const wordsOf = (inputs: string, values: object = {}, more = ''): readonly string[] =>
  commandOf(
    imported(
      'cwl',
      { 'tool.cwl': tool(inputs, more), 'in.json': JSON.stringify(values) },
      { inputs: 'in.json' },
    ),
    'tool',
  ).slice(1);

describe('commandWords', () => {
  it('orders words by position, arguments before inputs, and inputs by name', () => {
    const inputs = [
      'z: { type: string, default: z, inputBinding: { position: 1 } }',
      'b: { type: string, default: b, inputBinding: {} }',
      'a: { type: string, default: a, inputBinding: {} }',
      'first: { type: string, default: first, inputBinding: { position: -1 } }',
    ].join('\n');
    expect(wordsOf(inputs, {}, 'arguments: [x, { valueFrom: y, position: 1 }]')).toEqual([
      ...['first', 'x', 'a', 'b', 'y', 'z'],
    ]);
  });

  it.each([
    ['a text with a prefix', 'string', '{ prefix: -p }', 'v', ['-p', 'v']],
    ['a prefix that is not separate', 'string', '{ prefix: -p=, separate: false }', 'v', ['-p=v']],
    ['a number', 'float', '{}', 1.5, ['1.5']],
    ['a flag that is true', 'boolean', '{ prefix: -f }', true, ['-f']],
    ['a flag that is false', 'boolean', '{ prefix: -f }', false, []],
    ['nothing for null', 'string?', '{ prefix: -p }', null, []],
    ['a list with one prefix', '"string[]"', '{ prefix: -p }', ['a', 'b'], ['-p', 'a', 'b']],
    ['a list in one word', '"int[]"', '{ prefix: -p, itemSeparator: "," }', [1, 2], ['-p', '1,2']],
    ['nothing for an empty list', '"string[]"', '{ prefix: -p }', [], []],
    [
      'a list with a prefix for each entry',
      '{ type: array, items: string, inputBinding: { prefix: -i } }',
      '{ prefix: -p }',
      ['a', 'b'],
      ['-p', '-i', 'a', '-i', 'b'],
    ],
    ['a value from another expression', 'string', '{ valueFrom: "<$(self)>" }', 'v', ['<v>']],
    ['an enumeration', '{ type: enum, symbols: [fast, "#slow"] }', '{}', 'slow', ['slow']],
  ])('has %s', (_what, type, binding, value, words) => {
    expect(wordsOf(`x: { type: ${type}, inputBinding: ${binding} }`, { x: value })).toEqual(words);
  });

  it('replaces references within texts, and leaves escaped ones', () => {
    const inputs = 'n: int\nlist: string[]';
    const more = `arguments: ['a$(inputs.n)b$(inputs.list[1])', '\\$(inputs.n)', $(inputs.list.length), "$(inputs['n'])"]`;
    expect(wordsOf(inputs, { n: 7, list: ['x', 'y'] }, more)).toEqual(['a7by', '$(inputs.n)', '2', '7']);
  });

  it('gives a shell what is not to be quoted, and quotes the rest', () => {
    const more = `requirements: { ShellCommandRequirement: {} }
arguments: [{ valueFrom: '| sort', shellQuote: false }, "it's"]`;
    expect(wordsOf('x: { type: string, default: a b, inputBinding: { position: -1 } }', {}, more)).toEqual([
      '-c',
      `run 'a b' | sort 'it'\\''s'`,
    ]);
  });

  it('sends the streams of a whole shell command to files, and lets it go on after a failure within', () => {
    const folder = mkdtempSync(join(tmpdir(), 'command-line-'));
    try {
      const more = `requirements: { ShellCommandRequirement: {} }
stdin: $(inputs.x.path)
stdout: out.txt
stderr: err.txt
arguments: [{ valueFrom: 'x in.txt; echo oops >&2; cat; echo "it''s"', shellQuote: false }]`;
      const values = { x: { class: 'File', location: 'http://data.test/in.txt' } };
      const text = tool('x: File', more).replace('baseCommand: run', 'baseCommand: [grep, -c]');
      const command = commandOf(
        imported('cwl', { 'tool.cwl': text, 'in.json': JSON.stringify(values) }, { inputs: 'in.json' }),
        'tool',
      );
      writeFileSync(join(folder, 'in.txt'), 'y\n');
      const [program = '', ...rest] = command;
      expect(execFileSync(program, rest, { cwd: folder, encoding: 'utf8' })).toBe('');
      expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe("0\ny\nit's\n");
      expect(readFileSync(join(folder, 'err.txt'), 'utf8')).toBe('oops\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('sends streams to files', () => {
    const more = 'stdin: $(inputs.x.path)\nstdout: out.txt\nstderr: err.txt';
    const values = { x: { class: 'File', location: 'http://data.test/x.txt' } };
    expect(wordsOf('x: File', values, more)).toEqual(['-c', 'set -e\nrun < x.txt > out.txt 2> err.txt']);
  });

  it('reads an input of the type stdin as its standard input', () => {
    const values = { x: { class: 'File', location: 'http://data.test/x.txt' } };
    expect(wordsOf('x: stdin', values)).toEqual(['-c', 'set -e\nrun < x.txt']);
    const problems = (inputs: string, more = ''): readonly string[] =>
      refused(
        'cwl',
        { 'tool.cwl': tool(inputs, more), 'in.json': JSON.stringify({ ...values, y: values.x }) },
        { inputs: 'in.json' },
      );
    const [first, ...others] = problems('x: stdin\ny: stdin');
    expect([first, others]).toEqual([expect.stringMatching(/^inputs\.y: is a second standard input/), []]);
    expect(problems('x: stdin', 'stdin: x.txt')).toEqual([
      expect.stringMatching(/^inputs\.x: is a second standard input .*; leave out stdin/),
    ]);
    expect(problems('x: { type: stdin, inputBinding: {} }')).toEqual([
      expect.stringMatching(/^inputs\.x\.inputBinding: is not allowed for the type stdin/),
    ]);
  });

  it.each([
    ["'s/\\\\/x/'", 's/\\\\/x/'],
    ["'C:\\\\data\\\\x'", 'C:\\\\data\\\\x'],
    ["'$HOME \\\\ $(inputs.n)'", '$HOME \\ 7'],
    ['"$(inputs.n)\\n"', '7'],
    ['" a$(inputs.n) b\\n"', 'a7 b'],
    ['" no reference\\n"', ' no reference\n'],
  ])('changes only texts with references: %s', (argument, word) => {
    expect(wordsOf('n: int', { n: 7 }, `arguments: [${argument}]`)).toEqual([word]);
  });

  it('keeps the type of a value whose reference stands in lines', () => {
    const more = 'requirements:\n  ResourceRequirement:\n    ramMin: |\n      $(inputs.n)';
    const files = { 'tool.cwl': tool('n: { type: int, default: 4096 }', more) };
    expect(nodeOf(imported('cwl', files), 'tool').requirements).toMatchObject({ memoryMiB: 4096 });
  });

  it.each([
    [
      'an enumeration',
      '{ type: { type: enum, symbols: [a], inputBinding: { prefix: --e } } }',
      'a',
      ['--e', 'a', 'z'],
    ],
    [
      'an optional enumeration after others',
      '{ type: ["null", { type: enum, symbols: [a], inputBinding: { prefix: --e, position: 2 } }] }',
      'a',
      ['z', '--e', 'a'],
    ],
    ['its own value', '{ type: int, inputBinding: { position: $(self) } }', 3, ['z', '3']],
    ['a position of null', '{ type: int, inputBinding: { position: $(inputs.none) } }', 3, ['3', 'z']],
  ])('takes binding and position from a type or value: %s', (_what, x, value, words) => {
    const inputs = `x: ${x}\nz: { type: string, default: z, inputBinding: { position: 1 } }\nnone: int?`;
    expect(wordsOf(inputs, { x: value })).toEqual(words);
  });

  it.each([
    [
      '{ type: { type: array, items: string, inputBinding: { prefix: -e, position: 5 } } }',
      'x.type.inputBinding.position: is not supported within a list',
    ],
    [
      '{ type: { type: enum, symbols: [a], inputBinding: {} }, inputBinding: {} }',
      'x.type.inputBinding: is a second binding',
    ],
    [
      '{ type: { type: array, items: { type: enum, symbols: [a], inputBinding: { prefix: -e } } } }',
      'x.type.items.inputBinding: is a second binding',
    ],
  ])('refuses bindings within types whose place on the command line is not clear: %s', (x, problem) => {
    const values = JSON.stringify({ x: x.includes('array') ? ['a'] : 'a' });
    const files = { 'tool.cwl': tool(`x: ${x}`), 'in.json': values };
    expect(refused('cwl', files, { inputs: 'in.json' })).toEqual([expect.stringContaining(problem)]);
  });

  it('fetches the files that belong to another', () => {
    const files = {
      'tool.cwl': tool('x: { type: File, secondaryFiles: [.bai, ^.dict], inputBinding: {} }'),
      'in.json': JSON.stringify({ x: { class: 'File', location: 'https://data.test/d/a.bam' } }),
    };
    const { nodes } = imported('cwl', files, { inputs: 'in.json' });
    expect(nodes[0]?.payload?.inputs?.map(({ location }) => location)).toEqual([
      ...['https://data.test/d/a.bam', 'https://data.test/d/a.bam.bai', 'https://data.test/d/a.dict'],
    ]);
  });

  it('fetches the files that belong to the input of a workflow', () => {
    const workflow = [
      ...['cwlVersion: v1.2', 'class: Workflow', 'outputs: {}'],
      'inputs: { x: { type: "File[]", secondaryFiles: [.bai] } }',
      'steps: { s: { run: tool.cwl, in: { x: x }, out: [] } }',
    ].join('\n');
    const file = (name: string, more: object = {}): object => ({
      ...{ class: 'File', location: `https://data.test/${name}`, ...more },
    });
    const b = file('b.bam?signed=1', { basename: 'b.bam', secondaryFiles: [file('b.bam.bai?signed=2')] });
    const locations = (values: readonly object[]): readonly string[] | undefined =>
      nodeOf(
        imported(
          'cwl',
          {
            'flow.cwl': workflow,
            'tool.cwl': tool('x: { type: "File[]", secondaryFiles: [^.dict], inputBinding: {} }'),
            'in.json': JSON.stringify({ x: values }),
          },
          { inputs: 'in.json' },
        ),
        's',
      ).payload?.inputs?.map(({ location }) => location.slice('https://data.test/'.length));
    expect(locations([file('a.bam')])).toEqual(['a.bam', 'a.bam.bai', 'a.dict']);
    expect(() => locations([b])).toThrow(
      /x: the address of "b.bam" does not show that of its \^\.dict \(flow.cwl:5:36\); give both/,
    );
    const dict = file('b.dict?signed=3');
    const both = { ...b, secondaryFiles: [file('b.bam.bai?signed=2'), dict] };
    expect(locations([both])).toEqual(['b.bam?signed=1', 'b.bam.bai?signed=2', 'b.dict?signed=3']);
  });

  it('keeps the files that belong to an output of the whole', () => {
    const text = (secondary: string): string =>
      tool('{}')
        .replace('inputs:\n  {}', 'inputs: {}')
        .replace(
          'outputs: {}',
          `outputs: { o: { type: File, outputBinding: { glob: d/f.bam }, secondaryFiles: ${secondary} } }`,
        );
    const { payload } = nodeOf(
      imported('cwl', { 'tool.cwl': text('[.bai, { pattern: ^.csi, required: true }]') }),
      'tool',
    );
    expect(payload?.outputs).toEqual(['f.bam.bai', 'f.csi', 'f.bam']);
    expect(payload?.arguments?.[1]).toContain('cp -- d/f.bam.bai "$RHIZOME_OUTPUTS"');
    expect(refused('cwl', { 'tool.cwl': text('[.bai?]') })).toEqual([
      expect.stringMatching(
        /^outputs\.o: is "f\.bam\.bai", which is optional; outputs of jobs are files that must exist/,
      ),
    ]);
    expect(refused('cwl', { 'tool.cwl': text('["$(self.basename).x"]') })).toEqual([
      expect.stringMatching(/^outputs\.o\.secondaryFiles\.0: is not supported .*; use a suffix/),
    ]);
  });

  it.each([
    ['int', '"three"', '"three" is not a value for inputs.x'],
    ['string', '3', '3 is not a value for inputs.x'],
    ['File', '"a.txt"', '"a.txt" is not a value for inputs.x'],
    ['string[]', '["a", 1]', 'a list of 2 is not a value for inputs.x'],
    ['{ type: { type: enum, symbols: [a] } }', '"b"', '"b" is not a value for inputs.x'],
  ])('refuses a value that is no %s: %s', (type, value, problem) => {
    const files = { 'tool.cwl': tool(`x: ${type}`), 'in.json': `{\n  "x": ${value}\n}` };
    expect(refused('cwl', files, { inputs: 'in.json' })).toEqual([
      expect.stringContaining(`x: ${problem} (in.json:2:3); must be `),
    ]);
  });
});
