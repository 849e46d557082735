/** Import of workflows of iDDS, as `json_dumps` of iDDS writes them. */
import type { DraftEdges, DraftLoop, DraftNode } from '../graph/draft.js';
import { finishWorkflow, headOf } from '../graph/finish.js';
import type { ImportRequest } from '../import.types.js';
import { type Refusals, shortJson } from '../refusals.js';
import { Located } from '../text/located.js';
import type { SourceText } from '../text/source.types.js';
import type { ImportedWorkflow } from '../workflow.types.js';
import { addConditions, type IddsPart } from './conditions.js';
import { loopConditionOf, loopOf } from './loops.js';
import { type IddsTask, readTask } from './work.js';

/** Members of a workflow that have an effect in iDDS and none here, with what to do. */
const refused: ReadonlyMap<string, string> = new Map([
  ['parameter_links', 'parameters of works are not passed on; write them into the executables'],
  ['_global_parameters', 'parameters are not passed on; write them into the executables'],
  ['user_defined_conditions', 'conditions in Python are not supported'],
]);

/** Imports a workflow or a work. Undefined if there are refusals. */
export function importIdds(
  request: ImportRequest,
  source: SourceText,
  refusals: Refusals,
): ImportedWorkflow | undefined {
  const whole = new Located(source);
  const reader = new IddsReader(refusals);
  const part = reader.part(whole);
  reader.addEdges();
  const template = templateOf(whole);
  const own = template?.member('_name')?.text ?? template?.member('name')?.text;
  return finishWorkflow(part?.nodes ?? [], headOf(request, own), refusals, whole);
}

/** Template of a workflow; undefined for a work. */
function templateOf(at: Located): Located | undefined {
  const attributes = at.member('attributes');
  return attributes?.member('template')?.member('attributes');
}

class IddsReader {
  readonly #refusals: Refusals;
  readonly #tasks = new Map<string, IddsTask>();
  /** The innermost loops that nodes are part of. */
  readonly #loopOf = new Map<DraftNode, DraftLoop>();
  #loops = 0;
  /** Workflows with their parts, the inner ones first. */
  readonly #workflows: { readonly at: Located; readonly parts: ReadonlyMap<string, IddsPart> }[] = [];

  constructor(refusals: Refusals) {
    this.#refusals = refusals;
  }

  /** Nodes of a workflow or a work; undefined if it is refused. */
  part(at: Located, depth = 0): IddsPart | undefined {
    const template = templateOf(at);
    if (!template && at.member('class')?.text !== 'Workflow') return this.#task(at);
    if (!template || depth > 20) {
      this.#refusals.refuse(at, template ? 'is nested too deeply' : 'has no template');
      return undefined;
    }
    for (const [key, reason] of refused) {
      const given = template.member(key);
      if (given && !given.isEmpty) this.#refusals.refuse(given, reason);
    }
    const works = template.member('_works') ?? template.member('works');
    if (!works?.isMap) this.#refusals.invalid(works ?? template.place('_works'), 'a map of works');
    const parts = new Map<string, IddsPart>();
    for (const work of works?.members() ?? []) {
      if (this.#refusals.isFull) break;
      const part = this.part(work, depth + 1);
      if (part) parts.set(work.name, part);
    }
    this.#workflows.push({ at: template, parts });
    const condition = loopConditionOf(template);
    if (condition) return this.#loop(condition, template, parts);
    return { nodes: [...parts.values()].flatMap(({ nodes }) => nodes) };
  }

  /** The node that stands for a workflow which is repeated. */
  #loop(condition: Located, template: Located, parts: ReadonlyMap<string, IddsPart>): IddsPart | undefined {
    const name = template.member('_name')?.text ?? template.member('name')?.text ?? 'loop';
    const loop = loopOf(condition, { name, at: template, parts }, this.#refusals);
    if (!loop) return undefined;
    // Inner loops have been read before: their nodes keep their loop.
    for (const node of loop.nodes) this.#loopOf.set(node, loop);
    // A label of its own, so that it shares nothing with jobs.
    const label = `${name}-loop-${(this.#loops += 1)}`;
    return { nodes: [{ at: template, name, label, edges: [], loop, job: { payload: { command: '' } } }] };
  }

  /** Adds the edges between jobs, once all tasks are known, and then those of conditions. */
  addEdges(): void {
    this.#addDependencies();
    for (const { at, parts } of this.#workflows) addConditions(at, parts, this.#refusals);
  }

  #addDependencies(): void {
    for (const { needs } of this.#tasks.values())
      for (const [node, named] of needs) {
        if (this.#refusals.isFull) return;
        const from: DraftNode[] = [];
        for (const { at, task, name } of named) {
          const parent = this.#tasks.get(task)?.nodeOf.get(name);
          if (parent && this.#loopOf.get(parent) !== this.#loopOf.get(node))
            this.#refusals.refuse(
              at,
              `${shortJson(name)} and the job that depends on it are not in the same loop`,
              'begin the loop by a condition',
            );
          else if (parent) from.push(parent);
          else
            this.#refusals.refuse(
              at,
              `${shortJson(task)} has no job ${shortJson(name)}`,
              'a dependency names a task of the file and one of its jobs',
            );
        }
        const edges: DraftEdges = { from, condition: 'SUCCEEDED' };
        if (from.length > 0) node.edges.push(edges);
      }
  }

  #task(at: Located): IddsPart | undefined {
    const task = readTask(at, this.#refusals);
    if (!task) return undefined;
    if (this.#tasks.has(task.name))
      this.#refusals.refuse(task.at, `a second task has the name ${shortJson(task.name)}`);
    this.#tasks.set(task.name, task);
    return { nodes: task.nodes };
  }
}
