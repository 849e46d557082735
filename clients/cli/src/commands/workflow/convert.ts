/** `rhizome workflow convert`, and `submit --dry-run`: what a file would submit, without a gateway. */
import type { Command } from 'commander';
import type { CommonFlags, World } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { yamlLibrary } from '../../files/yaml-file.js';
import { type Output, printJson, printLine } from '../../output.js';
import { type FileFlags, type FileWorkflow, readAnyFile } from './foreign-file.js';
import { dividedNodes } from './submit.js';

/** Output and folder of a command that needs no gateway. */
export function withoutGateway(
  command: Command,
  { stdout, stderr, cwd }: World,
): { readonly output: Output; readonly cwd: string } {
  const { json } = command.optsWithGlobals<CommonFlags>();
  return { output: { json: json === true, stream: stdout, errors: stderr }, cwd };
}

/** Prints a workflow as a file of our own. */
export async function convert(
  file: string,
  flags: FileFlags,
  place: { readonly output: Output; readonly cwd: string },
): Promise<ExitCode> {
  const workflow = await readAnyFile(file, flags, place);
  const { output } = place;
  if (output.json) printJson(output, workflow);
  else output.stream.write(yamlLibrary().stringify(workflow, { aliasDuplicateObjects: false, lineWidth: 0 }));
  return exitCodes.ok;
}

type Counts = Readonly<Record<'nodes' | 'labels' | 'edges' | 'groupEdges', number>>;

/** Prints what a file would submit. */
export async function tryFile(
  file: string,
  { nodesPerPart, ...flags }: FileFlags & { readonly nodesPerPart?: number },
  place: { readonly output: Output; readonly cwd: string },
): Promise<ExitCode> {
  const workflow = await readAnyFile(file, flags, place);
  const parts = dividedNodes(workflow.nodes, nodesPerPart);
  const counts = { ...countsOf(workflow), parts: parts.length };
  const { output } = place;
  if (output.json) printJson(output, { experiment: workflow.experiment, name: workflow.name, ...counts });
  else
    printLine(
      output,
      `dry run  ${workflow.name}: ${counts.nodes} nodes with ${counts.labels} labels, ${counts.edges} edges and ${counts.groupEdges} edges between labels, in ${parts.length} ${parts.length === 1 ? 'call' : 'parts'}`,
    );
  return exitCodes.ok;
}

function countsOf({ nodes, groupEdges }: FileWorkflow): Counts {
  return {
    nodes: nodes.length,
    labels: new Set(nodes.flatMap(({ label }) => label ?? [])).size,
    edges: nodes.reduce((sum, { dependsOn }) => sum + (dependsOn?.length ?? 0), 0),
    groupEdges: groupEdges?.length ?? 0,
  };
}
