/** Rules of templates that several nodes decide together: their use, and limits of labels. */
import type { NodeLabelSpec, NodeSpec, TemplateSpec } from '../submit/workflow-spec.types.js';
import { nodeText } from '../submit/workflow-input.js';
import type { PlannedTemplate } from './planned-template.js';
import type { TemplateErrors } from './template-input.js';

type Errors = Pick<TemplateErrors, 'report'>;

/** Refuses templates that no node of the workflow stands for, also not in another template. */
export function checkUse(
  nodes: readonly NodeSpec[],
  templates: readonly TemplateSpec[],
  errors: Errors,
): void {
  const byName = new Map(templates.map((template) => [template.name, template]));
  const used = new Set<string>();
  const open = [nodes];
  for (let next = open.pop(); next; next = open.pop())
    for (const { subgraph } of next) {
      const template = subgraph == null ? undefined : byName.get(subgraph.template);
      if (!template || used.has(template.name)) continue;
      used.add(template.name);
      if (template.nodes) open.push(template.nodes);
    }
  templates.forEach(({ name }, at) => {
    if (used.has(name)) return;
    const text = `templates.${at}: ${JSON.stringify(name.slice(0, 100))} is the template of no node; must be that of at least one`;
    errors.report('INVALID_VALUE', ['templates', String(at)], text);
  });
}

/** Graph whose labels may have limits. */
export interface LimitedGraph {
  readonly nodes: readonly NodeSpec[];
  readonly templates: readonly TemplateSpec[];
  readonly planned: ReadonlyMap<string, Pick<PlannedTemplate, 'stored'>>;
  readonly labels: ReadonlyMap<string, Pick<NodeLabelSpec, 'maxSubmitted'>>;
}

/**
 * Refuses limits for which sub-graphs would wait for themselves or each other: a node with a sub-graph counts
 * for `maxSubmitted` of its label as long as nodes in it run. Templates must not contain themselves.
 */
export function checkLabelLimits({ nodes, templates, planned, labels }: LimitedGraph, errors: Errors): void {
  const isLimited = (label: string): boolean => labels.get(label)?.maxSubmitted != null;
  const specs = new Map(templates.map((template) => [template.name, template]));
  const known = new Map<string, ReadonlySet<string>>();
  const labelsIn = (name: string): ReadonlySet<string> => {
    const found = known.get(name);
    if (found) return found;
    const own = new Set((planned.get(name)?.stored.groups ?? []).map(({ label }) => label).filter(isLimited));
    const inner = new Set((specs.get(name)?.nodes ?? []).flatMap(({ subgraph }) => subgraph?.template ?? []));
    for (const template of inner) for (const label of labelsIn(template)) own.add(label);
    known.set(name, own);
    return own;
  };
  /** Labels that may be waited for while a place of the label is kept, and a node that keeps one. */
  const waits = new Map<
    string,
    { readonly node: NodeSpec; readonly path: string[]; readonly for: Set<string> }
  >();
  const collect = (some: readonly NodeSpec[], path: readonly string[]): void =>
    some.forEach((node, at) => {
      const { label, subgraph, isFinal } = node;
      if (label == null || subgraph == null || isFinal === true || !isLimited(label)) return;
      const own = waits.get(label) ?? { node, path: [...path, String(at), 'label'], for: new Set() };
      waits.set(label, own);
      for (const one of labelsIn(subgraph.template)) own.for.add(one);
    });
  collect(nodes, ['nodes']);
  templates.forEach((template, at) => collect(template.nodes ?? [], ['templates', String(at), 'nodes']));
  for (const [label, { node, path, for: first }] of waits) {
    const reached = new Set<string>();
    const open = [...first];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(...(waits.get(next)?.for ?? []));
    }
    if (!reached.has(label)) continue;
    const text = `${nodeText(node)} counts for \`maxSubmitted\` of label ${JSON.stringify(label)} while its sub-graph waits for nodes that count for it, too; must have another label, or the nodes in the sub-graph must`;
    errors.report('INVALID_VALUE', path, text);
    return;
  }
}
