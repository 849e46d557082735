import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import type { NodeSpec, TemplateSpec } from '../submit/workflow-spec.types.js';
import { checkLabelLimits, checkUse } from './template-limits.js';
import type { TemplateErrors } from './template-input.js';

type Code = Parameters<TemplateErrors['report']>[0];

const job = (label: string): NodeSpec => ({ name: 'x', label });
const unit = (template: string, label?: string): NodeSpec => ({
  ...{ name: `of-${template}`, subgraph: { template } },
  ...(label === undefined ? {} : { label }),
});

describe('checkUse', () => {
  it('refuses templates that only nodes of unused templates stand for', () => {
    const errors = new InputErrors<Code>();
    const templates: readonly TemplateSpec[] = [
      { name: 'used', nodes: [unit('inner')] },
      { name: 'inner', workflowId: 'workflow_1' },
      { name: 'left', nodes: [unit('only-left')] },
      { name: 'only-left', nodes: [job('a')] },
    ];
    checkUse([unit('used')], templates, errors);
    expect(errors.all.map(({ path }) => path.join('.'))).toEqual(['templates.2', 'templates.3']);
    expect(errors.all[0]?.message).toContain('"left" is the template of no node');
  });
});

describe('checkLabelLimits', () => {
  const labels = new Map(['a', 'b'].map((label) => [label, { maxSubmitted: 1 }]));
  const check = (nodes: readonly NodeSpec[], inner: Readonly<Record<string, readonly NodeSpec[]>>) => {
    const errors = new InputErrors<Code>();
    const templates = Object.entries(inner).map(([name, some]) => ({ name, nodes: some }));
    const planned = new Map(
      templates.map(({ name, nodes: some }) => {
        const groups = some.flatMap(({ label }) => (label == null ? [] : [{ label, nodes: 1 }]));
        return [name, { stored: { name, nodes: 1, bytes: 0, edges: 0, layers: 1, groups, outputs: [] } }];
      }),
    );
    checkLabelLimits({ nodes, templates, planned, labels }, errors);
    return errors.all.map(({ path }) => path.join('.'));
  };

  it('refuses a limited label of a node that nodes of its sub-graph have, also further in', () => {
    expect(check([unit('t', 'a')], { t: [job('a')] })).toEqual(['nodes.0.label']);
    expect(check([unit('t', 'a')], { t: [unit('u')], u: [job('a')] })).toEqual(['nodes.0.label']);
    expect(check([unit('t')], { t: [unit('u', 'a')], u: [job('a')] })).toEqual(['templates.0.nodes.0.label']);
  });

  it('refuses sub-graphs that wait for the labels of each other', () => {
    expect(check([unit('t', 'a'), unit('u', 'b')], { t: [job('b')], u: [job('a')] })).toEqual([
      'nodes.0.label',
    ]);
  });

  it('takes other labels, and labels without a limit', () => {
    expect(check([unit('t', 'a')], { t: [job('b')] })).toEqual([]);
    expect(check([unit('t', 'c')], { t: [job('c')] })).toEqual([]);
    expect(check([unit('t', 'a'), unit('t', 'a')], { t: [job('b')] })).toEqual([]);
  });
});
