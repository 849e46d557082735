import { type GraphQLSchema, Kind, parse, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { PlanNote } from '../../index.js';
import { type GuardName, guards } from '../../planning/guards.js';
import { namedType, type FieldModel, type Model } from './model.js';
import type { ComparedAnswer } from './compare.js';
import type { RandomOperation } from './random-operation.js';

/** Features that a campaign must have met often enough to have tested them. */
const features = [
  'plan: root fetch',
  'plan: several root fetches',
  'plan: entity fetch',
  'plan: batch fetch',
  'plan: sequence',
  'plan: parallel',
  'plan: subscription',
  'plan: type condition in a path',
  'plan: input rewrite',
  'plan: output rewrite',
  'plan: alias in a representation',
  'plan: nested representation',
  'plan: nothing to fetch',
  'planner: native',
  'planner: fallback',
  'planner: process lost',
  'fault: a path is not found',
  'fault: a step of several parents',
  'fault: a plan that only looks right',
  'fault: a redundant fetch',
  '@key composite',
  '@key nested',
  '@key chain',
  '@requires',
  '@requires with arguments',
  '@requires nested',
  '@provides',
  '@override',
  '@override by percentage',
  '@tag',
  '@external',
  '@shareable',
  '@shareable with other nullability',
  '@interfaceObject',
  '@inaccessible',
  'custom scalar',
  'list of lists',
  'union',
  'interface',
  'operation: query',
  'operation: mutation',
  'operation: several mutations',
  'operation: subscription',
  'operation: named fragment',
  'operation: @skip or @include',
  'operation: default of a variable',
  'operation: __typename',
  'operation: introspection with data',
  'answer: error',
  'answer: null by propagation',
] as const;

export type Feature = (typeof features)[number];

/** Guards that detect plans that only look right. */
const planChecks: readonly GuardName[] = [
  'unused-alias',
  'conflicting-fields',
  'missing-keys',
  'merged-fields',
  'wrong-required-field',
  'missing-type-conditions',
];

/** Faults of the native planner: by its own messages, or by the guards' reasons. */
const faults: readonly (readonly [Feature, (fault: string) => boolean])[] = [
  ['planner: process lost', (fault) => fault.startsWith('The query planner failed')],
  ['fault: a path is not found', (fault) => /cannot be found in selection set|No paths found/.test(fault)],
  ['fault: a redundant fetch', (fault) => fault === guards['redundant-fetches'].fault],
  ['fault: a step of several parents', (fault) => fault.includes('Expected a single parent')],
  [
    'fault: a plan that only looks right',
    (fault) => planChecks.some((name) => fault.startsWith(guards[name].fault)),
  ],
];

/** Counts how often each feature was met. */
export class FeatureCounts {
  readonly #counts = new Map<Feature, number>(features.map((feature) => [feature, 0]));
  readonly #others = new Map<string, number>();

  hit(feature: Feature): void {
    this.#counts.set(feature, (this.#counts.get(feature) ?? 0) + 1);
  }

  /** Other faults of the planner, by their text. */
  get others(): ReadonlyMap<string, number> {
    return this.#others;
  }

  /** Features with fewer hits than wanted. */
  missing(wanted: number): string[] {
    return [...this.#counts]
      .filter(([, count]) => count < wanted)
      .map(([feature, count]) => `${feature}: ${count}`);
  }

  /** The counts as plain data, for another process to add. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  add(counts: Readonly<Record<string, number>>): void {
    for (const feature of features) {
      this.#counts.set(feature, (this.#counts.get(feature) ?? 0) + (counts[feature] ?? 0));
    }
  }

  table(): string {
    return [...this.#counts].map(([feature, count]) => `${String(count).padStart(7)}  ${feature}`).join('\n');
  }

  /** Counts the features of a plan, each once. */
  plan({ planner, fault, plan }: PlanNote): void {
    const text = JSON.stringify(plan ?? null);
    const has = (feature: Feature, pattern: RegExp): void => {
      if (pattern.test(text)) this.hit(feature);
    };
    if (planner === 'none') this.hit('plan: nothing to fetch');
    else this.hit(planner === 'native' ? 'planner: native' : 'planner: fallback');
    if (fault !== undefined) this.#fault(fault);
    has('plan: entity fetch', /"Flatten"/);
    has('plan: batch fetch', /"BatchFetch"/);
    has('plan: sequence', /"Sequence"/);
    has('plan: parallel', /"Parallel"/);
    has('plan: subscription', /"Subscription"/);
    has('plan: type condition in a path', /"TypeCondition"/);
    has('plan: input rewrite', /"inputRewrites":\[\{/);
    has('plan: output rewrite', /"outputRewrites":\[\{/);
    has('plan: alias in a representation', /"alias":"(?!_e\d|_entities)/);
    has('plan: nested representation', /"kind":"Field","name":"\w+","selections":\[/);
    const roots = text.match(/"operation":"(\{|query\{|query\([^)]*\)\{)(?!_e)/g)?.length ?? 0;
    if (roots > 0) this.hit('plan: root fetch');
    if (roots > 1) this.hit('plan: several root fetches');
  }

  #fault(text: string): void {
    const kind = faults.find(([, matches]) => matches(text));
    if (kind) this.hit(kind[0]);
    else this.#others.set(text, (this.#others.get(text) ?? 0) + 1);
  }

  /** Counts the features of an operation, each once. */
  operation(
    model: Model,
    schema: GraphQLSchema,
    kind: 'query' | 'mutation' | 'subscription',
    { query }: RandomOperation,
  ): void {
    const met = new Set<Feature>([`operation: ${kind}`]);
    const types = new TypeInfo(schema);
    const document = parse(query);
    visit(
      document,
      visitWithTypeInfo(types, {
        Field: ({ name: { value: name } }) => {
          const parent = types.getParentType()?.name ?? '';
          if (name === '__typename') met.add('operation: __typename');
          if (name === '__schema' || name === '__type') met.add('operation: introspection with data');
          for (const feature of fieldFeatures(model, parent, name)) met.add(feature);
        },
        FragmentSpread: () => void met.add('operation: named fragment'),
        Directive: () => void met.add('operation: @skip or @include'),
        VariableDefinition: ({ defaultValue }) => {
          if (defaultValue) met.add('operation: default of a variable');
        },
      }),
    );
    const [operation] = document.definitions;
    if (
      kind === 'mutation' &&
      operation?.kind === Kind.OPERATION_DEFINITION &&
      operation.selectionSet.selections.length > 1
    ) {
      met.add('operation: several mutations');
    }
    for (const feature of met) this.hit(feature);
  }

  answer({ errors, data }: ComparedAnswer): void {
    if (errors.length > 0) this.hit('answer: error');
    const bubbled = errors.some(({ path }) => {
      let value = data;
      for (const step of path.slice(0, -1)) {
        if (typeof value !== 'object' || value === null) return true;
        value = (value as Record<string | number, unknown>)[step];
      }
      return value === null;
    });
    if (bubbled) this.hit('answer: null by propagation');
  }
}

function fieldFeatures(model: Model, parent: string, name: string): Feature[] {
  const roots = [...model.queries, ...model.mutations, ...model.subscriptions];
  const object = model.objects.find((one) => one.name === parent);
  const abstract = model.abstracts.find((one) => one.fields.some((field) => field.name === name));
  const field =
    (object?.fields ?? roots).find((one) => one.name === name) ??
    abstract?.fields.find((one) => one.name === name);
  const found: Feature[] = [];
  if (object?.kind === 'entity') {
    const keys = [...object.present.values()].flat();
    if (keys.includes('id sku')) found.push('@key composite');
    if (keys.some((key) => key.includes('ref'))) found.push('@key nested');
    if (keys.includes('sku') && keys.includes('id')) found.push('@key chain');
  }
  if (abstract?.objectIn !== undefined && field?.owners.includes(abstract.objectIn))
    found.push('@interfaceObject');
  return field ? [...found, ...directiveFeatures(field), ...typeFeatures(model, field)] : found;
}

function directiveFeatures(field: FieldModel): Feature[] {
  const found: Feature[] = [];
  if (field.requires) {
    found.push('@requires');
    if (field.requires.fields.some(({ args }) => Object.keys(args).length > 0))
      found.push('@requires with arguments');
    if (field.requires.fields.some(({ inner }) => inner)) found.push('@requires nested');
  }
  if (field.provides !== undefined) found.push('@provides');
  if (field.overridden !== undefined)
    found.push(field.overrideLabel === undefined ? '@override' : '@override by percentage');
  if (field.tag !== undefined) found.push('@tag');
  if (field.requires || field.provides !== undefined) found.push('@external');
  if (field.owners.length > 1) found.push('@shareable');
  if (field.strictIn && field.strictIn.length > 0) found.push('@shareable with other nullability');
  return found;
}

function typeFeatures(model: Model, field: FieldModel): Feature[] {
  const found: Feature[] = [];
  const name = namedType(field.type);
  const target = model.abstracts.find((one) => one.name === name);
  if (name === 'JSON') found.push('custom scalar');
  if (field.type.startsWith('[[')) found.push('list of lists');
  if (target) found.push(target.kind);
  const hides = model.objects.some((one) => one.hidden && target?.members.includes(one.name));
  if (hides || (name === 'Kind' && model.enums.some(({ hidden }) => hidden !== undefined)))
    found.push('@inaccessible');
  return found;
}
