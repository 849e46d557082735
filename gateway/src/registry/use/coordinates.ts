/** Schema elements that an operation uses. */
import {
  type DocumentNode,
  getNamedType,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/**
 * Coordinates that a document uses, each once: `Type.field`, `Type.field(argument:)`; and the names of enums
 * in results, of inputs and enums in arguments, and of types in type conditions. Values of variables are not
 * inspected: the type of a variable stands for everything in it.
 */
export function coordinatesOf(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
  const found = new Set<string>();
  const info = new TypeInfo(schema);
  const given = (type: GraphQLInputType | null | undefined): void => addInput(type, found);
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: () => {
        const [parent, field] = [info.getParentType(), info.getFieldDef()];
        if (!parent || !field || field.name.startsWith('__') || parent.name.startsWith('__')) return;
        found.add(`${parent.name}.${field.name}`);
        const type = getNamedType(field.type);
        if (isEnumType(type)) found.add(type.name);
      },
      Argument: ({ name }) => {
        const [parent, field] = [info.getParentType(), info.getFieldDef()];
        // An argument of a directive has no parent type and no field of its own.
        const argument = info.getArgument();
        if (info.getDirective() || !parent || !field || !argument || field.name.startsWith('__')) return;
        found.add(`${parent.name}.${field.name}(${name.value}:)`);
        given(argument.type);
      },
      InlineFragment: ({ typeCondition }) => void (typeCondition && found.add(typeCondition.name.value)),
      FragmentDefinition: ({ typeCondition }) => void found.add(typeCondition.name.value),
    }),
  );
  return [...found].sort();
}

/** An input stands for all inputs and enums within it. */
function addInput(type: GraphQLInputType | null | undefined, found: Set<string>): void {
  const named = type ? getNamedType(type) : undefined;
  if (!named || found.has(named.name)) return;
  if (isEnumType(named)) found.add(named.name);
  if (!isInputObjectType(named)) return;
  found.add(named.name);
  for (const field of Object.values(named.getFields())) addInput(field.type, found);
}
