import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { commandOf, edgesOf, imported, importedWithin, nodeOf, refused, tried } from '../testing.fixture.js';
import { alignFiles, stepOf, trimTool, workflowOf } from './cwl.fixture.js';

const align = { inputs: 'inputs.yaml', sharedFolder: '/shared/run7', readableFolders: ['/shared/'] };

describe('an import of a workflow in CWL', () => {
  const workflow = imported('cwl', alignFiles, align);

  it('has a node for each instance of a step', () => {
    expect(workflow.nodes.map(({ name, label }) => `${name} ${label}`)).toEqual([
      ...['trim.0 trim', 'trim.1 trim', 'trim.2 trim'],
      ...['align.0 align', 'align.1 align', 'align.2 align', 'join join', 'report report'],
    ]);
    expect(workflow).toMatchObject({ experiment: 'demo', name: 'align' });
  });

  it('orders nodes by the files that they pass', () => {
    expect(edgesOf(workflow)).toEqual([
      ...['trim.0 -> align.0', 'trim.1 -> align.1', 'trim.2 -> align.2'],
      ...['align.0 -> join', 'align.1 -> join', 'align.2 -> join', 'join -> report'],
    ]);
  });

  it('runs commands with the files of the steps before, in folders of their own', () => {
    expect(commandOf(workflow, 'align.2')).toEqual([
      '/bin/sh',
      '-c',
      [
        'set -e',
        'shared=/shared/run7',
        'test -d "$shared" || { echo "$shared is not a folder that this payload can write" >&2; exit 1; }',
        'folder=/shared/run7/align.2',
        'own="$RHIZOME_JOB_ID.$RHIZOME_ATTEMPT_ID"',
        'mkdir -p "$folder/$own"',
        'cd "$folder/$own"',
        'align -r /shared/ref/hg.fa /shared/run7/trim.2/out/c.trimmed.fq > c.trimmed.sam',
        'case "$(readlink "$folder/out")" in "$RHIZOME_JOB_ID".*) exit 0 ;; esac',
        'ln -sfn "$own" "$folder/.$own"',
        'mv -fT "$folder/.$own" "$folder/out" || ln -sfn "$own" "$folder/out"',
      ].join('\n'),
    ]);
    expect(commandOf(workflow, 'join')[2]).toContain(
      'join-sam --parts /shared/run7/align.0/out/a.trimmed.sam,/shared/run7/align.1/out/b.trimmed.sam,/shared/run7/align.2/out/c.trimmed.sam',
    );
  });

  it('lets workers fetch files that have an address', () => {
    expect(nodeOf(workflow, 'trim.0').payload).toMatchObject({
      inputs: [{ name: 'a.fq', location: 'https://data.test/run1/a.fq' }],
      image: 'registry.test/trim:1.2',
      environment: [
        { name: 'TRIM_MODE', value: 'strict' },
        { name: 'SAMPLE', value: 'a' },
      ],
    });
    const [, , script = ''] = commandOf(workflow, 'trim.0');
    expect(script.split('\n')).toEqual(
      expect.arrayContaining(['ln -s "$started"/a.fq .', 'trim --quiet --threads=2 a.fq --out a.trimmed.fq']),
    );
  });

  it('keeps outputs of the whole as outputs of their jobs', () => {
    const { payload } = nodeOf(workflow, 'join');
    expect(payload?.outputs).toEqual(['joined.sam']);
    expect(commandOf(workflow, 'join')[2]).toContain('cp -- joined.sam "$RHIZOME_OUTPUTS"');
    expect(nodeOf(workflow, 'align.0').payload?.outputs).toBeUndefined();
  });

  it('gives jobs the resources of their tools', () => {
    expect(nodeOf(workflow, 'trim.1').requirements).toEqual({
      ...{ cores: 2, memoryMiB: 2048, diskMiB: 300, walltimeSeconds: 600 },
    });
    expect(nodeOf(workflow, 'join').requirements).toBeUndefined();
  });

  it('leaves out a step whose condition is known not to hold', () => {
    const without = {
      ...alignFiles,
      'inputs.yaml': `${String(alignFiles['inputs.yaml'])}`.replace('true', 'false'),
    };
    const names = imported('cwl', without, align).nodes.map(({ name }) => name);
    expect(names).toHaveLength(7);
    expect(names).not.toContain('report');
  });

  it('passes files between jobs as outputs of nodes without a folder for them', () => {
    const { 'inputs.yaml': inputs, ...files } = alignFiles;
    const remote = String(inputs).replaceAll(
      /(path: |location: file:\/\/)\/shared/g,
      'location: https://data.test',
    );
    const passed = imported('cwl', { ...files, 'inputs.yaml': remote }, { inputs: 'inputs.yaml' });
    expect(nodeOf(passed, 'trim.0').payload?.outputs).toEqual(['a.trimmed.fq']);
    expect(nodeOf(passed, 'align.0').inputs).toEqual([{ node: 'trim.0', output: 'a.trimmed.fq' }]);
    expect(commandOf(passed, 'align.0')[2]).toContain('align -r hg.fa a.trimmed.fq > a.trimmed.sam');
    expect(nodeOf(passed, 'join').inputs).toEqual(
      ['a', 'b', 'c'].map((sample, at) => ({ node: `align.${at}`, output: `${sample}.trimmed.sam` })),
    );
    expect(edgesOf(passed)).toEqual(edgesOf(workflow));
  });

  it('gives files of one name different ones, and passes only what a command names', () => {
    const named = (name: string, more: string): string =>
      stepOf(name, more).replace(`${name}.txt`, 'out.txt');
    const steps = `${named('a', 'in: {}')}${named('b', 'in: { x: a/file }')}c:
  run:
    class: CommandLineTool
    baseCommand: cat
    inputs: { one: { type: File, inputBinding: {} }, two: { type: File, inputBinding: {} } }
    outputs: {}
  out: []
  in: { one: a/file, two: b/file }
`;
    const passed = imported('cwl', { 'two.cwl': workflowOf(steps) });
    expect(nodeOf(passed, 'b').inputs).toBeUndefined();
    expect(nodeOf(passed, 'c').inputs).toEqual([
      { node: 'a', output: 'out.txt' },
      { node: 'b', output: 'out.txt', as: '1-out.txt' },
    ]);
    expect(commandOf(passed, 'c')).toEqual(['cat', 'out.txt', '1-out.txt']);
  });

  it('refuses folders between jobs without a folder for them', () => {
    const step = stepOf('a', 'in: {}').replace('type: File', 'type: Directory');
    const steps = `${step}b:
  run:
    class: CommandLineTool
    baseCommand: ls
    inputs: { one: { type: Directory, inputBinding: {} } }
    outputs: {}
  out: []
  in: { one: a/file }
`;
    expect(refused('cwl', { 'two.cwl': workflowOf(steps) })).toEqual([
      expect.stringMatching(
        /^steps\.b\.in\.one: a Directory of a cannot be passed to another job \(two\.cwl:\d+:\d+\); give a folder/,
      ),
    ]);
  });

  it('keeps the result of the first attempt of a job, and replaces that of another job', () => {
    const shared = mkdtempSync(join(tmpdir(), 'shared-'));
    try {
      const workflow = imported(
        'cwl',
        {
          'tool.cwl': `cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [printenv, RHIZOME_ATTEMPT_ID]\nstdout: x\ninputs: {}\noutputs: {}`,
        },
        { sharedFolder: shared },
      );
      const [program = '', ...rest] = commandOf(workflow, 'tool');
      const run = (job: string, attempt: string): string => {
        const env = { ...process.env, RHIZOME_JOB_ID: job, RHIZOME_ATTEMPT_ID: attempt };
        execFileSync(program, rest, { env });
        return readFileSync(join(shared, 'tool/out/x'), 'utf8').trim();
      };
      expect([run('job_1', 'a'), run('job_1', 'b'), run('job_2', 'c'), run('job_2', 'd')]).toEqual([
        ...['a', 'a', 'c', 'c'],
      ]);
      expect(readdirSync(join(shared, 'tool')).sort()).toEqual([
        ...['job_1.a', 'job_1.b', 'job_2.c', 'job_2.d', 'out'],
      ]);
    } finally {
      rmSync(shared, { recursive: true });
    }
  });

  it.each([
    ['/shared/raw/c.fq', undefined],
    ['/cvmfs/raw/c.fq', '/shared/run7'],
  ])('refuses files for a tool with an image that containers do not see: %s', (path, sharedFolder) => {
    const files = {
      'trim.cwl': trimTool,
      'inputs.json': JSON.stringify({ reads: { class: 'File', path } }),
    };
    const request = { inputs: 'inputs.json', readableFolders: ['/shared'], sharedFolder };
    expect(refused('cwl', files, request)).toEqual([
      expect.stringContaining(
        `reads: "${path}" is not seen in containers, and the tool has an image (inputs.json:1:2)`,
      ),
    ]);
    const without = { ...files, 'trim.cwl': trimTool.replace(/ {2}DockerRequirement:\n.*\n/, '') };
    expect(imported('cwl', without, request).nodes).toHaveLength(1);
  });

  it('imports a single tool as one node', () => {
    const tool = imported(
      'cwl',
      {
        'trim.cwl': trimTool,
        'inputs.json': '{"reads": {"class": "File", "location": "https://data.test/a.fq"}}',
      },
      { inputs: 'inputs.json' },
    );
    expect(commandOf(tool, 'trim')).toEqual([
      '/bin/sh',
      '-c',
      'set -e\ntrim --quiet --threads=2 a.fq --out a.trimmed.fq\ncp -- a.trimmed.fq "$RHIZOME_OUTPUTS"',
    ]);
  });

  it('imports a process of a packed file by its id, with ids as packing writes them', () => {
    const packed = {
      cwlVersion: 'v1.2',
      $graph: [
        {
          ...{ class: 'Workflow', id: '#main', inputs: [{ id: '#main/n', type: 'int', default: 3 }] },
          outputs: [],
          steps: [
            {
              id: '#main/first',
              run: '#tool',
              in: [{ id: '#main/first/n', source: '#main/n' }],
              out: ['#main/first/done'],
            },
            {
              id: '#main/second',
              run: '#tool',
              in: [
                { id: '#main/second/n', source: '#main/n' },
                { id: '#main/second/after', source: '#main/first/done' },
              ],
              out: ['#main/second/done'],
            },
          ],
        },
        {
          ...{ class: 'CommandLineTool', id: '#tool', baseCommand: 'count' },
          inputs: [
            { id: '#tool/n', type: 'int', inputBinding: { prefix: '-n' } },
            { id: '#tool/after', type: ['null', 'Any'] },
          ],
          outputs: [{ id: '#tool/done', type: 'File', outputBinding: { glob: 'done' } }],
        },
      ],
    };
    const files = { 'packed.json': JSON.stringify(packed) };
    const workflow = imported('cwl', files);
    expect(edgesOf(workflow)).toEqual(['first -> second']);
    expect(commandOf(workflow, 'second')).toEqual(['count', '-n', '3']);
    expect(refused('cwl', files, { id: 'other' })).toEqual([
      '$graph: has no process "other" (packed.json:1:22)',
    ]);
  });

  it('puts a workflow within a workflow in its place, for each instance', () => {
    const inner = workflowOf(`${stepOf('a', 'in: { x: value }')}${stepOf('b', 'in: { x: a/file }')}`, {
      inputs: 'value: int',
      outputs: 'last: { type: File, outputSource: b/file }',
    });
    const outer = workflowOf(
      `parts:
  run: inner.cwl
  scatter: value
  in: { value: values }
  out: [last]
${stepOf('end', 'in: { x: parts/last }')}`,
      { inputs: 'values: { type: "int[]", default: [5, 6] }' },
    );
    const workflow = imported('cwl', { 'outer.cwl': outer, 'inner.cwl': inner });
    expect(edgesOf(workflow)).toEqual([
      ...['parts.0/a -> parts.0/b', 'parts.1/a -> parts.1/b', 'parts.0/b -> end', 'parts.1/b -> end'],
    ]);
    expect(workflow.nodes.map(({ label }) => label)).toEqual([
      ...['parts_a', 'parts_b', 'parts_a', 'parts_b', 'end'],
    ]);
  });

  it('imports 20,000 instances with an edge between labels in bounded memory', async () => {
    const values = JSON.stringify(Array.from({ length: 10_000 }, (_, at) => at));
    const text = workflowOf(
      `${stepOf('many', 'in: { x: values }\nscatter: x')}${stepOf('more', 'in: { x: values, y: many/file }\nscatter: x')}`,
      { inputs: 'values: int[]' },
    );
    const workflow = await importedWithin(
      128,
      'cwl',
      { 'wide.cwl': text, 'values.json': `{"values": ${values}}` },
      { inputs: 'values.json' },
    );
    expect(workflow.nodes).toHaveLength(20_000);
    expect(edgesOf(workflow)).toEqual(['[many] -> [more]']);
  });

  it('puts steps after those that they need, however they are written', () => {
    const steps = ['c b', 'b a', 'a', 'd'].map((text) => {
      const [name = '', needed] = text.split(' ');
      return stepOf(name, needed === undefined ? 'in: []' : `in: { x: ${needed}/file }`);
    });
    const { nodes } = imported('cwl', { 'graph.cwl': workflowOf(steps.join('')) });
    expect(nodes.map(({ name }) => name)).toEqual(['a', 'd', 'b', 'c']);
  });

  it('waits for a step of which it takes the name of a file only', () => {
    const text = workflowOf(
      `${stepOf('a', 'in: []')}${stepOf('b', 'in: { x: { source: a/file, valueFrom: $(self.basename) } }')}`,
    );
    expect(edgesOf(imported('cwl', { 'graph.cwl': text }))).toEqual(['a -> b']);
  });

  it('takes a step for a step, though the workflow has its name', () => {
    const text = workflowOf(
      `${stepOf('align', 'in: []')}${stepOf('b', 'in: { x: align/file, y: "#align/file" }')}`,
      {
        inputs: 'file: { type: int, default: 1 }',
      },
    ).replace('class: Workflow', 'class: Workflow\nid: align');
    expect(edgesOf(imported('cwl', { 'graph.cwl': text }))).toEqual(['align -> b']);
  });

  it('runs a step once if it is scattered over no inputs, and merges a single value into a list', () => {
    const text = workflowOf(
      `a:\n  run: tool.cwl\n  scatter: []\n  scatterMethod: dotproduct\n  in: { n: { source: n, linkMerge: merge_nested } }\n  out: []`,
      { inputs: 'n: { type: int, default: 4 }' },
    );
    const tool =
      'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: run\ninputs: { n: { type: "int[]", inputBinding: {} } }\noutputs: {}';
    expect(commandOf(imported('cwl', { 'graph.cwl': text, 'tool.cwl': tool }), 'a')).toEqual(['run', '4']);
  });

  it('leaves out a hint of which it does not know a part, with a note', () => {
    const files = {
      'trim.cwl': `${trimTool}hints:\n  NetworkAccess: { networkAccess: true, to: [a] }\n`,
      'in.json': '{"reads": {"class": "File", "location": "https://data.test/a"}}',
    };
    const result = tried('cwl', files, { inputs: 'in.json' });
    expect(result).toMatchObject({ notes: ['hints.NetworkAccess: this hint has no effect, because of to'] });
  });

  it('reads addresses of files, and does not rename files in folders', () => {
    const inputs = (file: object): { readonly 'tool.cwl': string; readonly 'in.json': string } => ({
      'tool.cwl':
        'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: run\ninputs: { x: { type: File, inputBinding: {} } }\noutputs: {}',
      'in.json': JSON.stringify({ x: { class: 'File', ...file } }),
    });
    const request = { inputs: 'in.json', readableFolders: ['/data'] };
    const path = (location: string): readonly string[] =>
      commandOf(imported('cwl', inputs({ location }), request), 'tool').slice(1);
    expect(path('file:///data/a%20b%23c.fq')).toEqual(['/data/a b#c.fq']);
    expect(path('/data/a#%20.fq')).toEqual(['/data/a#%20.fq']);
    expect(refused('cwl', inputs({ location: '/data/a.fq', basename: 'b.fq' }), request)).toEqual([
      expect.stringMatching(/^x\.location: is not named "b\.fq" .*cannot be renamed/),
    ]);
  });

  it('notes and refuses names of extensions in the job order', () => {
    const files = (order: string): { readonly 'a.cwl': string; readonly 'in.yaml': string } => ({
      'a.cwl': workflowOf(stepOf('a', 'in: []')),
      'in.yaml': order,
    });
    expect(refused('cwl', files('cwl:requirements: []\n'), { inputs: 'in.yaml' })).toEqual([
      'cwl:requirements: is not supported (in.yaml:1:1); write the requirements into the process',
    ]);
    expect(tried('cwl', files('cwl:tool: a.cwl\n'), { inputs: 'in.yaml' })).toMatchObject({
      notes: ['cwl:tool: has no effect'],
    });
  });

  it('notes values for inputs that do not exist', () => {
    const files = { 'a.cwl': workflowOf(stepOf('a', 'in: []')), 'in.yaml': 'typo: 1\n' };
    expect(tried('cwl', files, { inputs: 'in.yaml' })).toMatchObject({
      notes: ['typo: is not an input; the inputs are '],
    });
  });
});
