import { describe, expect, it } from '@jest/globals';
import { imported, refused } from '../testing.fixture.js';
import { stepOf, workflowOf } from './cwl.fixture.js';

const lists = { inputs: 'n: { type: "int[]", default: [1, 2] }\nm: { type: "int[]", default: [3] }' };

describe('importCwl', () => {
  it.each([
    [
      'another version',
      'cwlVersion: v2.0\nclass: Workflow',
      'cwlVersion: "v2.0" is not valid (graph.cwl:1:1); must be v1.0, v1.1, v1.2',
    ],
    [
      'another class',
      'cwlVersion: v1.2\nclass: ExpressionTool',
      'class: ExpressionTool is not supported (graph.cwl:2:1); use CommandLineTool or Workflow',
    ],
    [
      'a nested cross product',
      workflowOf(
        stepOf('a', 'in: { x: n, y: m }\nscatter: [x, y]\nscatterMethod: nested_crossproduct'),
        lists,
      ),
      'steps.a.scatterMethod: nested_crossproduct is not supported (graph.cwl:17:5); use dotproduct or flat_crossproduct',
    ],
    [
      'lists of different lengths',
      workflowOf(stepOf('a', 'in: { x: n, y: m }\nscatter: [x, y]\nscatterMethod: dotproduct'), lists),
      'steps.a.scatter: y has 1 entries, and x 2 (graph.cwl:16:5); the lists of a dotproduct must have the same length',
    ],
    [
      'a task of pchain',
      workflowOf('top:\n  run: prun\n  in: { opt_exec: { default: "echo hi" } }\n  out: [outDS]'),
      'steps.top.run: prun is a task of PanDA over data sets (graph.cwl:7:5); describe its jobs by a CommandLineTool, with scatter for several jobs',
    ],
    [
      'a loop of pchain',
      workflowOf(stepOf('a', 'in: []\nhints: [loop]')),
      'steps.a.hints.0: loop is not supported (graph.cwl:14:13); give a step for each turn',
    ],
    [
      'a source that does not exist',
      workflowOf(stepOf('a', 'in: { x: b/file }')),
      'steps.a.in.x: "b/file" is neither an input nor the output of a step (graph.cwl:13:11)',
    ],
    [
      'steps that wait for each other',
      workflowOf(stepOf('a', 'in: { x: a/file }')),
      'steps.a: depends on its own output (graph.cwl:6:3)',
    ],
    [
      'a command of which nothing is left',
      'cwlVersion: v1.2\nclass: CommandLineTool\narguments: [$(inputs.x)]\ninputs: { x: string? }\noutputs: {}',
      'the whole: has no command (graph.cwl:1:1); give a baseCommand',
    ],
    [
      'a file that does not exist',
      workflowOf('a:\n  run: tools/none.cwl\n  in: []\n  out: []'),
      'cannot be read: no such file (tools/none.cwl:1:1)',
    ],
    [
      'a process that contains itself',
      workflowOf('a:\n  run: graph.cwl\n  in: []\n  out: []'),
      'the whole: contains itself, or is nested too deeply (graph.cwl:1:1)',
    ],
    [
      'a list that a step finds when it runs',
      workflowOf(
        `${stepOf('a', 'in: []').replace('type: File', 'type: "File[]"').replace('a.txt', '"*.txt"')}${stepOf('b', 'in: { x: a/file }\nscatter: x')}`,
      ),
      'steps.b.scatter: x is a list that is known only when the step before has run: steps.a.run.outputs.file matches files that are known only when the step has run: *.txt (graph.cwl:22:5); scatter over a list that is known on import',
    ],
    ['a text that is none', new Uint8Array([0xff, 0xfe, 0x00]), 'not a text in UTF-8 (graph.cwl:1:1)'],
  ])('refuses a construct, and names it with its place: %s', (_what, text, refusal) => {
    expect(refused('cwl', { 'graph.cwl': text })).toEqual([refusal]);
  });

  it('says of each file that it is a pickle', () => {
    const files = {
      'graph.cwl': workflowOf('a:\n  run: tool.cwl\n  in: []\n  out: []'),
      ...{ 'tool.cwl': new Uint8Array([0x80, 0x04, 0x95]), 'in.json': new Uint8Array([0x80, 0x02]) },
    };
    expect(refused('cwl', files, { inputs: 'in.json' })).toEqual([
      expect.stringMatching(/^is a pickle of Python.*\(in\.json:1:1\)$/),
      expect.stringMatching(/^is a pickle of Python.*\(tool\.cwl:1:1\)$/),
    ]);
  });

  it.each([
    [
      'requirements: { InitialWorkDirRequirement: { listing: [] } }',
      'InitialWorkDirRequirement is not supported',
    ],
    [
      'requirements: [{ class: InlineJavascriptRequirement, expressionLib: [x] }]',
      'JavaScript is not supported',
    ],
    ['requirements: { DockerRequirement: { dockerPull: x, dockerFile: y } }', 'dockerFile: is not supported'],
    ['requirements: { ResourceRequirement: { coresMin: 4, coresMax: 2 } }', '4 is above coresMax, 2'],
    ['requirements: { "tool:Secrets": {} }', 'Secrets is not supported'],
    ['requirements: { EnvVarRequirement: { envDef: { RHIZOME_X: 1 } } }', '"RHIZOME_X" is not a name'],
    ['arguments: ["${return 1}"]', 'the JavaScript ${return 1} is not supported'],
    ['arguments: [$(inputs.none)]', 'inputs.none is not known'],
    ['arguments: [$(runtime.tmpdir)]', 'runtime.tmpdir is not known'],
    ['stdout: ../../x', '"../../x" is not the name of a file'],
    ['stderr: ..', '".." is not the name of a file'],
    ['successCodes: [0, 3]', 'successCodes: is not supported'],
    ['colour: red', 'colour: is not supported'],
  ])('refuses in a tool: %s', (line, problem) => {
    const text = `cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: run\ninputs: {}\noutputs: {}\n${line}\n`;
    const refusals = refused('cwl', { 'tool.cwl': text });
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toContain(problem);
    expect(refusals[0]).toMatch(/\(tool\.cwl:6:\d+\)/);
  });

  it('lists all refusals at once, at most 50, and each once however many instances a step has', () => {
    const bad = (name: string): string =>
      stepOf(name, 'in: { x: n }\nscatter: x').replace('inputs:', 'stdin: $(none)\n    inputs:');
    const steps = Array.from({ length: 60 }, (_, at) => bad(`s${at}`)).join('');
    const refusals = refused('cwl', { 'graph.cwl': workflowOf(steps, lists) });
    expect(refusals).toHaveLength(50);
    expect(refusals[49]).toMatch(/^steps\.s49\.run\.stdin: /);
  });

  it('makes no instances if one of the lists of a cross product is empty', () => {
    const values = JSON.stringify(Array.from({ length: 10_000 }, (_, at) => at));
    const step = stepOf(
      'a',
      'in: { x: n, y: n, z: none }\nscatter: [x, y, z]\nscatterMethod: flat_crossproduct',
    );
    const text = workflowOf(`${step}${stepOf('b', 'in: []')}`, {
      inputs: `n: { type: "int[]", default: ${values} }\nnone: { type: "int[]", default: [] }`,
    });
    expect(imported('cwl', { 'graph.cwl': text }).nodes.map(({ name }) => name)).toEqual(['b']);
  });

  it('limits calls of workflows that have no job', () => {
    const steps = Array.from({ length: 30 }, (_, at) => `s${at}:\n  run: LEVEL\n  in: []\n  out: []`).join(
      '\n',
    );
    const levels = Array.from({ length: 8 }, (_, at) => [
      ...[
        `${at}.cwl`,
        at === 7
          ? workflowOf('').replace(/steps:\s*/, 'steps: {}')
          : workflowOf(steps).replaceAll('LEVEL', `${at + 1}.cwl`),
      ],
    ]);
    expect(refused('cwl', Object.fromEntries(levels) as Record<string, string>)).toContainEqual(
      expect.stringMatching(
        /^steps\.s\d+: comes after 100000 calls of workflows and steps that are left out/,
      ),
    );
  });

  it('limits the instances of a step before they are made', () => {
    const values = JSON.stringify(Array.from({ length: 2000 }, (_, at) => at));
    const text = workflowOf(
      stepOf('a', 'in: { x: n, y: n }\nscatter: [x, y]\nscatterMethod: flat_crossproduct'),
      {
        inputs: `n: { type: "int[]", default: ${values} }`,
      },
    );
    expect(refused('cwl', { 'graph.cwl': text })).toEqual([
      'steps.a.scatter: 4000000 instances (graph.cwl:15:5); a workflow has at most 100000 jobs',
    ]);
  });
});
