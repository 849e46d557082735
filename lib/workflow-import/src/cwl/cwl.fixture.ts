/** Workflows in CWL for tests: an alignment of samples, in one file, in several, and packed. */
import type { TestFiles } from '../testing.fixture.js';

/** Tool that trims the reads of a sample. */
export const trimTool = `cwlVersion: v1.2
class: CommandLineTool
baseCommand: [trim, --quiet]
requirements:
  ResourceRequirement:
    coresMin: $(inputs.threads)
    ramMin: 2048
    tmpdirMin: 100
    outdirMin: 200
  DockerRequirement:
    dockerPull: registry.test/trim:1.2
  EnvVarRequirement:
    envDef:
      TRIM_MODE: strict
      SAMPLE: $(inputs.reads.nameroot)
  ToolTimeLimit:
    timelimit: 600
inputs:
  reads:
    type: File
    inputBinding: { position: 2 }
  threads:
    type: int
    default: 2
    inputBinding: { prefix: --threads=, separate: false, position: 1 }
arguments:
  - prefix: --out
    valueFrom: $(inputs.reads.nameroot).trimmed.fq
    position: 3
outputs:
  trimmed:
    type: File
    outputBinding: { glob: $(inputs.reads.nameroot).trimmed.fq }
`;

/** Workflow that trims and aligns each sample, joins the results, and makes a report if that is wanted. */
export const alignWorkflow = `cwlVersion: v1.2
class: Workflow
requirements:
  - class: ScatterFeatureRequirement
  - class: StepInputExpressionRequirement
  - class: InlineJavascriptRequirement
inputs:
  samples: File[]
  reference: File
  threads: int?
  report: boolean
steps:
  trim:
    run: trim.cwl
    scatter: reads
    in:
      reads: samples
      threads: threads
    out: [trimmed]
  align:
    run:
      class: CommandLineTool
      baseCommand: align
      stdout: $(inputs.reads.nameroot).sam
      inputs:
        reads: { type: File, inputBinding: { position: 2 } }
        reference: { type: File, inputBinding: { prefix: -r, position: 1 } }
      outputs:
        aligned: stdout
    scatter: reads
    in:
      reads: trim/trimmed
      reference: reference
    out: [aligned]
  join:
    run:
      class: CommandLineTool
      baseCommand: [join-sam]
      inputs:
        parts:
          type: File[]
          inputBinding: { itemSeparator: ',', prefix: --parts }
      outputs:
        joined: { type: File, outputBinding: { glob: joined.sam } }
    in:
      parts: align/aligned
    out: [joined]
  report:
    when: $(inputs.wanted)
    run:
      class: CommandLineTool
      baseCommand: report
      inputs:
        result: { type: File, inputBinding: {} }
        title: { type: string, inputBinding: { prefix: --title } }
      outputs:
        page: { type: File, outputBinding: { glob: report.html } }
    in:
      wanted: report
      result: join/joined
      title: { default: 'Samples & results' }
    out: [page]
outputs:
  joined: { type: File, outputSource: join/joined }
  page: { type: 'File?', outputSource: report/page }
`;

/** Values of the inputs. */
export const alignInputs = `samples:
  - { class: File, location: https://data.test/run1/a.fq }
  - { class: File, location: https://data.test/run1/b.fq }
  - { class: File, path: /shared/run7/raw/c.fq }
reference: { class: File, location: file:///shared/ref/hg.fa }
report: true
`;

/** The files of the workflow. */
export const alignFiles: TestFiles = {
  'flows/align.cwl': alignWorkflow,
  'flows/trim.cwl': trimTool,
  'inputs.yaml': alignInputs,
};

/** A workflow with these steps, and inputs without values. */
export function workflowOf(steps: string, { inputs = '', outputs = '' } = {}): string {
  const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ');
  return [
    'cwlVersion: v1.2',
    'class: Workflow',
    `inputs:${inputs === '' ? ' {}' : `\n${indented(inputs)}`}`,
    `outputs:${outputs === '' ? ' {}' : `\n${indented(outputs)}`}`,
    `steps:\n${indented(steps)}`,
  ].join('\n');
}

/** A step that runs a command, with an input that only orders it, and a file of the name of the step. */
export function stepOf(name: string, more = ''): string {
  const indented = more.replace(/^(?=.)/gm, '  ');
  return `${name}:
  run:
    class: CommandLineTool
    baseCommand: ${name}
    inputs: { x: 'Any?', y: 'Any?' }
    outputs: { file: { type: File, outputBinding: { glob: ${name}.txt } } }
  out: [file]
${indented}
`;
}
