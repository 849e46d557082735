/** Coordinate under which the use of a schema element is counted. */
import { badInput } from '@rhizome/errors';
import { Kind, parse, type TypeDefinitionNode } from 'graphql';

/** A coordinate as it is counted. */
export interface CountedCoordinate {
  readonly countedAs: string;
  /** True if the graph has it. */
  readonly isLive: boolean;
}

const coordinate = /^([_A-Za-z]\w*)(?:\.([_A-Za-z]\w*)(?:\(([_A-Za-z]\w*):\))?)?$/;

/**
 * Counted coordinate of a schema element. Fields of inputs and values of enums travel in variables, which are
 * not inspected: their type stands for them.
 * @throws DomainError BAD_USER_INPUT for an invalid coordinate
 */
export function countedCoordinate(text: string, supergraphSdl: string): CountedCoordinate {
  const [, typeName, member, argument] = coordinate.exec(text) ?? [];
  if (typeName === undefined)
    throw badInput('coordinate', text, '`Type`, `Type.field` or `Type.field(argument:)`');
  const type = typeNamed(typeName, supergraphSdl);
  if (!type) return { countedAs: text, isLive: false };
  if (member === undefined) return { countedAs: text, isLive: true };
  if (type.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION || type.kind === Kind.ENUM_TYPE_DEFINITION) {
    const members = type.kind === Kind.ENUM_TYPE_DEFINITION ? type.values : type.fields;
    const isLive = argument === undefined && (members ?? []).some(({ name }) => name.value === member);
    return { countedAs: isLive ? typeName : text, isLive };
  }
  const field = 'fields' in type ? type.fields?.find(({ name }) => name.value === member) : undefined;
  const isLive =
    field !== undefined &&
    (argument === undefined || (field.arguments ?? []).some(({ name }) => name.value === argument));
  return { countedAs: text, isLive };
}

function typeNamed(name: string, sdl: string): TypeDefinitionNode | undefined {
  return parse(sdl, { noLocation: true }).definitions.find(
    (one): one is TypeDefinitionNode =>
      one.kind.endsWith('TypeDefinition') && 'name' in one && one.name?.value === name,
  );
}
