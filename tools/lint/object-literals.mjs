// Reports properties of object literals that TypeScript lets pass although their type does not have them:
//   - in a conditional spread, `{ ...(ids ? { id: ids } : {}) }`, which excess property checks leave out,
//     also where the literal is the value of a constant without a type that is used later
//   - in a filter of MongoDB, whose type permits every name
// Such a property is without effect: a filter with a wrong name finds what it should not find.
//
// usage: node tools/lint/object-literals.mjs [tsconfig.json]
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** All findings in a project and the projects that it refers to; tests are left out. */
export function findUnknownProperties(tsconfig) {
  const { files, options } = projectOf(tsconfig);
  const program = ts.createProgram(files, {
    ...options,
    ...{ noEmit: true, composite: false, incremental: false, declaration: false, skipLibCheck: true },
    ...{ tsBuildInfoFile: undefined, rootDir: undefined, outDir: undefined },
  });
  const checker = program.getTypeChecker();
  return files.flatMap((name) => {
    const source = program.getSourceFile(name);
    return source ? findInFile(checker, source) : [];
  });
}

function projectOf(tsconfig) {
  const files = new Set();
  const seen = new Set();
  let options = {};
  const load = (path) => {
    const config = path.endsWith('.json') ? path : resolve(path, 'tsconfig.json');
    if (seen.has(config) || config.endsWith('tsconfig.test.json') || !existsSync(config)) return;
    seen.add(config);
    const { config: json } = ts.readConfigFile(config, ts.sys.readFile);
    const parsed = ts.parseJsonConfigFileContent(json, ts.sys, dirname(config));
    if (parsed.fileNames.length > 0) options = { ...parsed.options, ...options };
    for (const name of parsed.fileNames) if (!/\.(d|generated|test|e2e)\.tsx?$/.test(name)) files.add(name);
    for (const { path: referred } of parsed.projectReferences ?? []) load(referred);
  };
  load(resolve(tsconfig));
  return { files: [...files], options };
}

function findInFile(checker, source) {
  const found = new Set();
  const report = (property, type) => {
    const { line } = source.getLineAndCharacterOfPosition(property.getStart());
    const place = `${relative(root, source.fileName)}:${line + 1}`;
    found.add(`${place}: "${property.name.text}" is not a property of ${checker.typeToString(type)}`);
  };
  const visit = (node) => {
    if (ts.isObjectLiteralExpression(node))
      checkLiteral(checker, node, checker.getContextualType(node), report);
    else if (ts.isIdentifier(node)) checkConstant(checker, node, report);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found];
}

/** The use of a constant: its literal must fit the place of use, too. */
function checkConstant(checker, node, report) {
  const literal = constantLiteral(checker, node);
  if (!literal || spreadProperties(literal).length === 0) return;
  const isUsed =
    ts.isShorthandPropertyAssignment(node.parent) || !('name' in node.parent && node.parent.name === node);
  if (isUsed) checkLiteral(checker, literal, checker.getContextualType(node), report);
}

/** The object literal that is the value of a constant without a declared type. */
function constantLiteral(checker, node) {
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
  const declaration = symbol?.valueDeclaration;
  if (!declaration || !ts.isVariableDeclaration(declaration) || declaration.type) return undefined;
  const { initializer } = declaration;
  return initializer && ts.isObjectLiteralExpression(initializer) ? initializer : undefined;
}

const spreadProperties = (literal) =>
  literal.properties
    .filter((part) => ts.isSpreadAssignment(part))
    .flatMap(({ expression }) => literalsOf(expression))
    .flatMap(({ properties }) => [...properties]);

function checkLiteral(checker, node, type, report) {
  if (!type) return;
  const spread = spreadProperties(node);
  const filtered = filteredType(type);
  if (filtered) {
    for (const property of [...node.properties, ...spread].filter(isNamed)) {
      const [name = ''] = property.name.text.split('.');
      if (name !== '_id' && !name.startsWith('$') && !mayHave(checker, filtered, name))
        report(property, filtered);
    }
  } else
    for (const property of spread.filter(isNamed))
      if (!mayHave(checker, type, property.name.text)) report(property, type);
}

/** The documents that a filter of MongoDB selects. */
function filteredType(type) {
  const isFilter = (one) => one.aliasSymbol?.name === 'Filter';
  const filter = isFilter(type) ? type : type.isUnion() ? type.types.find(isFilter) : undefined;
  return filter?.aliasTypeArguments?.[0];
}

const isNamed = ({ name }) => name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name));

/** The object literals among the values that an expression may have. */
function literalsOf(expression) {
  if (ts.isParenthesizedExpression(expression)) return literalsOf(expression.expression);
  if (ts.isConditionalExpression(expression))
    return [...literalsOf(expression.whenTrue), ...literalsOf(expression.whenFalse)];
  if (ts.isBinaryExpression(expression))
    return [...literalsOf(expression.left), ...literalsOf(expression.right)];
  return ts.isObjectLiteralExpression(expression) ? [expression] : [];
}

const open = ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.NonPrimitive | ts.TypeFlags.Instantiable;

function mayHave(checker, type, name) {
  if (type.isUnion()) return type.types.some((one) => mayHave(checker, one, name));
  if (type.flags & open) return true;
  if (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null)) return false;
  const properties = type.getProperties();
  return (
    properties.length === 0 || checker.getIndexInfosOfType(type).length > 0 || Boolean(type.getProperty(name))
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findUnknownProperties(process.argv[2] ?? resolve(root, 'tsconfig.json'));
  for (const line of found) console.error(line);
  if (found.length > 0) process.exitCode = 1;
}
