/** Imports of texts for tests. */
import { Worker } from 'node:worker_threads';
import { type ImportResult, importWorkflow } from './import-workflow.js';
import type { ImportFormat, ImportRequest } from './import.types.js';
import type { ImportedWorkflow, WorkflowNode } from './workflow.types.js';

/** Files by path; the first one is imported. */
export type TestFiles = Readonly<Record<string, string | Uint8Array>>;

/** Imports the first file. */
export function tried(
  format: ImportFormat,
  files: TestFiles,
  request: Partial<ImportRequest> = {},
): ImportResult {
  const [file = 'none'] = Object.keys(files);
  return importWorkflow(format, {
    ...{ file, experiment: 'demo', cwd: '/home/user' },
    read: (path) => {
      const content = files[path];
      if (content === undefined) return { problem: 'no such file' };
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
    ...request,
  });
}

/** The workflow of the first file. @throws Error with the refusals */
export function imported(
  format: ImportFormat,
  files: TestFiles,
  request: Partial<ImportRequest> = {},
): ImportedWorkflow {
  const result = tried(format, files, request);
  if ('refusals' in result) throw new Error(result.refusals.join('\n'));
  return result.workflow;
}

/**
 * The workflow of the first file, imported by a thread with little memory.
 * @throws Error with the refusals, or `ERR_WORKER_OUT_OF_MEMORY`
 */
export async function importedWithin(
  maxOldGenerationSizeMb: number,
  ...given: Parameters<typeof imported>
): Promise<ImportedWorkflow> {
  const code = `const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.url).then(({ imported }) => parentPort.postMessage(imported(...workerData.given)));`;
  const workerData = { url: import.meta.url, given };
  const worker = new Worker(code, { eval: true, workerData, resourceLimits: { maxOldGenerationSizeMb } });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
}

/** Refusals of the first file. @throws Error if it is imported */
export function refused(
  format: ImportFormat,
  files: TestFiles,
  request: Partial<ImportRequest> = {},
): readonly string[] {
  const result = tried(format, files, request);
  if ('workflow' in result) throw new Error('The file was imported');
  return result.refusals;
}

/** Edges of a workflow as texts: `from -> to`, with the condition unless it is success. */
export function edgesOf({ nodes, groupEdges = [] }: ImportedWorkflow): readonly string[] {
  const text = (from: string, to: string, condition = 'SUCCEEDED'): string =>
    `${from} -> ${to}${condition === 'SUCCEEDED' ? '' : ` ${condition}`}`;
  return [
    ...nodes.flatMap(({ name, dependsOn = [] }) =>
      dependsOn.map(({ node, condition }) => text(node, name, condition)),
    ),
    ...groupEdges.map(({ from, to, condition }) => text(`[${from}]`, `[${to}]`, condition)),
  ];
}

/** A node with what it has from its label. @throws Error if there is none */
export function nodeOf({ nodes, nodeLabels = [] }: ImportedWorkflow, name: string): WorkflowNode {
  const node = nodes.find((one) => one.name === name);
  if (!node) throw new Error(`${name} is not among ${nodes.map((one) => one.name).join(', ')}`);
  const { label: _label, ...common } = nodeLabels.find(({ label }) => label === node.label) ?? { label: '' };
  return { ...common, ...node };
}

/** Command and arguments of a node in one list. */
export function commandOf(workflow: ImportedWorkflow, name: string): readonly string[] {
  const { payload } = nodeOf(workflow, name);
  return payload ? [payload.command, ...(payload.arguments ?? [])] : [];
}
