/**
 * The project's rules for an experiment's additions to the graph. Composition alone would merge types of two
 * experiments silently, and let an outage of one experiment null everybody's response; these rules prevent
 * both.
 */
import {
  Kind,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type NameNode,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  type TypeNode,
  parse,
} from 'graphql';

/** Properties of the experiment that the rules need. */
export interface RuleSubject {
  readonly name: string;
  readonly typePrefix: string;
}

/** A rule that is not kept. */
export interface RuleViolation {
  /** The rule's name. */
  readonly rule:
    | 'prefix'
    | 'nullable'
    | 'one-field'
    | 'mutation-name'
    | 'subscription-name'
    | 'redefinition'
    | 'description';
  /** `Type` or `Type.field`. */
  readonly where: string;
  /** Violation and what is valid. */
  readonly message: string;
}

const roots = ['Query', 'Mutation', 'Subscription'];
/** Suffixes of a mutation's types. */
const mutationTypeSuffixes = ['Input', 'Payload', 'UserError', 'UserErrorCode'];

/**
 * Checks an experiment's own SDL (without the shared definitions).
 * @param coreTypes names of the types that core defines: the experiment may extend the entities, and redefine
 *   nothing.
 */
export function checkExperimentSchema(
  sdl: string | DocumentNode,
  subject: RuleSubject,
  coreTypes: ReadonlySet<string>,
): readonly RuleViolation[] {
  const { definitions } = typeof sdl === 'string' ? parse(sdl) : sdl;
  const ofMutations = typesOfMutations(definitions, subject);
  return definitions.flatMap((definition) => checkDefinition(definition, subject, coreTypes, ofMutations));
}

/**
 * The types that are named after a mutation of the experiment: their names contain the prefix and need not
 * begin with it.
 */
function typesOfMutations(definitions: readonly DefinitionNode[], subject: RuleSubject): ReadonlySet<string> {
  const mutations = definitions
    .filter(isObject)
    .filter(({ name }) => name.value === 'Mutation')
    .flatMap(({ fields }) => (fields ?? []).map(({ name }) => name.value))
    .filter((name) => isMutationName(name, subject));
  return new Set(
    mutations.flatMap((name) =>
      mutationTypeSuffixes.map((suffix) => `${name.charAt(0).toUpperCase()}${name.slice(1)}${suffix}`),
    ),
  );
}

/** Returns true if the type is named after a mutation of the experiment, as `SubmitHeronNestInput`. */
export function isMutationTypeName(name: string, typePrefix: string): boolean {
  return new RegExp(`^[A-Z][a-z]*${typePrefix}([A-Z]\\w*)?(${mutationTypeSuffixes.join('|')})$`).test(name);
}

/** A verb and the experiment's name, as `submitHeron…`. */
function isMutationName(name: string, { typePrefix }: RuleSubject): boolean {
  return new RegExp(`^[a-z]+${typePrefix}([A-Z]|$)`).test(name);
}

/** The names of the types that an SDL defines. */
export function definedTypes(document: DocumentNode | string): ReadonlySet<string> {
  const parsed = typeof document === 'string' ? parse(document) : document;
  return new Set(
    parsed.definitions.flatMap((d) =>
      'name' in d && d.name && d.kind.endsWith('Definition') && d.kind !== Kind.DIRECTIVE_DEFINITION
        ? [d.name.value]
        : [],
    ),
  );
}

function checkDefinition(
  definition: DefinitionNode,
  subject: RuleSubject,
  coreTypes: ReadonlySet<string>,
  ofMutations: ReadonlySet<string>,
): readonly RuleViolation[] {
  if (!('name' in definition) || !definition.name || definition.kind === Kind.DIRECTIVE_DEFINITION) return [];
  const name = (definition.name as NameNode).value;
  if (isObject(definition)) {
    if (roots.includes(name)) return checkRoot(name, definition, subject);
    if (coreTypes.has(name)) return checkContribution(name, definition, subject);
  }
  return checkOwnType(name, definition, subject, coreTypes, ofMutations);
}

function isObject(
  definition: DefinitionNode,
): definition is ObjectTypeDefinitionNode | ObjectTypeExtensionNode {
  return definition.kind === Kind.OBJECT_TYPE_DEFINITION || definition.kind === Kind.OBJECT_TYPE_EXTENSION;
}

function checkOwnType(
  name: string,
  definition: DefinitionNode,
  subject: RuleSubject,
  coreTypes: ReadonlySet<string>,
  ofMutations: ReadonlySet<string>,
): readonly RuleViolation[] {
  const violations: RuleViolation[] = [];
  if (coreTypes.has(name)) {
    violations.push({
      rule: 'redefinition',
      where: name,
      message: `${name} is core's: an experiment extends core's entities and redefines nothing.`,
    });
  } else if (!name.startsWith(subject.typePrefix) && !ofMutations.has(name)) {
    violations.push({
      rule: 'prefix',
      where: name,
      message: `${name} does not begin with ${subject.typePrefix}: call it ${subject.typePrefix}${name}, or two experiments' types may merge silently. Only types of a mutation are named after it, as submit${subject.typePrefix}…: Submit${subject.typePrefix}…Input, …Payload, …UserError, …UserErrorCode.`,
    });
  }
  if (!('description' in definition) || !definition.description) violations.push(undescribed(name));
  if ('fields' in definition) {
    for (const field of definition.fields ?? [])
      if (!field.description) violations.push(undescribed(`${name}.${field.name.value}`));
  }
  if ('values' in definition) {
    for (const value of definition.values ?? [])
      if (!value.description) violations.push(undescribed(`${name}.${value.name.value}`));
  }
  return violations;
}

function checkContribution(
  type: string,
  definition: ObjectTypeDefinitionNode | ObjectTypeExtensionNode,
  subject: RuleSubject,
): readonly RuleViolation[] {
  const added = (definition.fields ?? []).filter(
    (field) => !hasDirective(field, 'external') && !isKeyField(definition, field),
  );
  return added.flatMap((field) => {
    const where = `${type}.${field.name.value}`;
    const violations: RuleViolation[] = [];
    if (field.name.value !== subject.name) {
      violations.push({
        rule: 'one-field',
        where,
        message: `${where} must be called ${type}.${subject.name}: what an experiment adds sits under one field of its name.`,
      });
    }
    return [...violations, ...checkNullable(where, field.type), ...checkDescribed(where, field)];
  });
}

function checkRoot(
  root: string,
  definition: ObjectTypeDefinitionNode | ObjectTypeExtensionNode,
  subject: RuleSubject,
): readonly RuleViolation[] {
  return (definition.fields ?? []).flatMap((field) => {
    const name = field.name.value;
    const where = `${root}.${name}`;
    const violations: RuleViolation[] = [...checkDescribed(where, field)];
    if (root === 'Query') {
      if (name !== subject.name)
        violations.push({
          rule: 'one-field',
          where,
          message: `${where} must sit under Query.${subject.name}.`,
        });
      violations.push(...checkNullable(where, field.type));
    }
    if (root === 'Mutation' && !isMutationName(name, subject)) {
      violations.push({
        rule: 'mutation-name',
        where,
        message: `${where} must be a verb and the experiment's name, as submit${subject.typePrefix}….`,
      });
    }
    if (root === 'Subscription' && !name.startsWith(subject.name)) {
      violations.push({
        rule: 'subscription-name',
        where,
        message: `${where} must begin with ${subject.name}.`,
      });
    }
    return violations;
  });
}

function checkNullable(where: string, type: TypeNode): readonly RuleViolation[] {
  if (type.kind !== Kind.NON_NULL_TYPE) return [];
  return [
    {
      rule: 'nullable',
      where,
      message: `${where} must be nullable: a non-null addition turns the experiment's outage into everybody's.`,
    },
  ];
}

function checkDescribed(where: string, field: FieldDefinitionNode): readonly RuleViolation[] {
  const violations = field.description ? [] : [undescribed(where)];
  return [
    ...violations,
    ...(field.arguments ?? [])
      .filter((a) => !a.description)
      .map((a) => undescribed(`${where}(${a.name.value}:)`)),
  ];
}

function undescribed(where: string): RuleViolation {
  return { rule: 'description', where, message: `${where} has no description: say what it is, with units.` };
}

function hasDirective(node: FieldDefinitionNode, name: string): boolean {
  return (node.directives ?? []).some((directive) => directive.name.value === name);
}

function isKeyField(
  definition: ObjectTypeDefinitionNode | ObjectTypeExtensionNode,
  field: FieldDefinitionNode,
): boolean {
  return (definition.directives ?? [])
    .filter((directive) => directive.name.value === 'key')
    .flatMap((directive) => directive.arguments ?? [])
    .some(
      (argument) =>
        argument.name.value === 'fields' &&
        argument.value.kind === Kind.STRING &&
        argument.value.value.split(/\W+/).includes(field.name.value),
    );
}
