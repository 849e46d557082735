/** Finds the files that the job of a node reads from other nodes. */
import { type PositionsPage, positionsPage } from '@rhizome/mongo';
import type { JobDocument, StoredNodeInput, StoredOutput } from '../../jobs/model/job.types.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { countsOf, nodesIn } from '../model/node-rules.js';
import type { NodeFacts } from '../model/node.document.js';
import { nodeJobIds } from '../run/node-jobs.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { maxNesting } from '../model/scopes.js';
import { type ScopedWorkflow, storingNode } from './subgraph-view.js';
import type { PageSpec } from './workflows.service.js';

/** Dependencies of {@link NodeFiles}. */
export interface NodeFilesOptions {
  readonly workflows: Pick<WorkflowsRepository, 'findMany' | 'scopes'>;
  readonly nodes: Pick<NodesRepository, 'named' | 'labelled'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
}

/** File that a job reads. */
export interface NodeFile {
  /** Path in the working folder: `NAME`, or `FOLDER/NAME` for nodes with a label. */
  readonly path: string;
  /** Name of the node. */
  readonly node: string;
  /** Declared name of the output. */
  readonly name: string;
  readonly isOptional: boolean;
  /** Job of the node; undefined if none has ended well. */
  readonly jobId?: string | undefined;
  /** Undefined if the node has not stored it. */
  readonly output?: StoredOutput | undefined;
}

/** Files of an entry in the inputs of a node. */
interface Entry {
  readonly input: StoredNodeInput;
  /** Position of its first file. */
  readonly first: number;
  readonly count: number;
}

/** Node whose output a job reads. */
interface Source {
  readonly input: StoredNodeInput;
  readonly node: NodeFacts | undefined;
}

const digits = 7;

/** Looks up files, at most 100 at a time, so that no document lists all of them. */
export class NodeFiles {
  readonly #options: NodeFilesOptions;

  constructor(options: NodeFilesOptions) {
    this.#options = options;
  }

  /** A page of the files that a job reads. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  async of({ payload }: Pick<JobDocument, 'payload'>, page: PageSpec): Promise<PositionsPage<NodeFile>> {
    const { workflowId = '', files = [] } = payload.nodeInputs ?? {};
    const entries = await this.#entries(workflowId, files);
    const last = entries.at(-1);
    const totalCount = last ? last.first + last.count : 0;
    return positionsPage({ totalCount, ...page }, async (from, count) => {
      const sources = await this.#sources(workflowId, entries, { from, to: from + count });
      return this.#files(workflowId, sources);
    });
  }

  async #entries(workflowId: string, files: readonly StoredNodeInput[]): Promise<readonly Entry[]> {
    const hasLabels = files.some(({ label }) => label !== undefined);
    const [workflow] = hasLabels ? await this.#options.workflows.findMany([workflowId]) : [];
    const entries: Entry[] = [];
    let first = 0;
    for (const input of files) {
      const group = workflow?.groups.filter(({ label, isFinal }) => label === input.label && !isFinal) ?? [];
      const count = input.label === undefined ? 1 : nodesIn(countsOf(group));
      entries.push({ input, first, count });
      first += count;
    }
    return entries;
  }

  async #sources(
    workflowId: string,
    entries: readonly Entry[],
    { from, to }: { readonly from: number; readonly to: number },
  ): Promise<readonly Source[]> {
    const { nodes } = this.#options;
    const shown = entries.filter(({ first, count }) => first < to && first + count > from);
    const names = shown.flatMap(({ input }) => input.node ?? []);
    const found = names.length > 0 ? await nodes.named(workflowId, names) : [];
    const byName = new Map(found.map((node) => [node.name, node]));
    const sources: Source[] = [];
    for (const { input, first, count } of shown)
      if (input.label === undefined) sources.push({ input, node: byName.get(input.node ?? '') });
      else {
        const skip = Math.max(0, from - first);
        const some = { from: skip, count: Math.min(count, to - first) - skip };
        for (const node of await nodes.labelled(workflowId, input.label, some)) sources.push({ input, node });
      }
    return this.#storing(workflowId, sources);
  }

  /** Instead of nodes with sub-graphs, the nodes in these that store the outputs. */
  async #storing(workflowId: string, all: readonly Source[]): Promise<readonly Source[]> {
    let sources = all;
    let workflow: ScopedWorkflow | undefined;
    for (let depth = 0; depth < maxNesting && sources.some(({ node }) => node?.subgraph); depth += 1) {
      workflow ??= (await this.#options.workflows.scopes([workflowId]))[0] ?? { _id: workflowId };
      const { nodes } = this.#options;
      const inner = new Map<Source, string | undefined>();
      for (const source of sources)
        if (source.node?.subgraph) inner.set(source, storingNode(source.node, source.input.output, workflow));
      const names = [...new Set([...inner.values()].flatMap((name) => name ?? []))];
      const found = new Map((await nodes.named(workflowId, names)).map((node) => [node.name, node]));
      sources = sources.map((source) =>
        inner.has(source) ? { ...source, node: found.get(inner.get(source) ?? '') } : source,
      );
    }
    return sources;
  }

  async #files(workflowId: string, sources: readonly Source[]): Promise<readonly NodeFile[]> {
    const idOf = nodeJobIds(workflowId);
    // A node that was ended by hand may have a job, which has not succeeded.
    const ids = sources.map(({ node }) => (node?.state === 'SUCCEEDED' ? idOf(node) : undefined));
    const wanted = [...new Set(ids.flatMap((id) => id ?? []))];
    const jobs = wanted.length > 0 ? await this.#options.jobs.find(wanted, { outputs: 1 }) : [];
    const outputs = new Map(jobs.map((job) => [job._id, job.outputs]));
    return sources.map(({ input, node }, at) => {
      const jobId = ids[at];
      const output = outputs.get(jobId ?? '')?.find(({ name }) => name === input.output);
      const file = `${String(node?.index ?? 0).padStart(digits, '0')}-${input.output}`;
      return {
        path: input.label === undefined ? input.as : `${input.as}/${file}`,
        node: node?.name ?? input.node ?? '',
        name: input.output,
        isOptional: input.isOptional === true || input.label !== undefined,
        jobId: output ? jobId : undefined,
        output,
      };
    });
  }
}
