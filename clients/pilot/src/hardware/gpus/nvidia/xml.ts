import { DOMParser, type Element } from '@xmldom/xmldom';

/** The root of an XML text; undefined if it is invalid or has another root. */
export function rootOf(text: string, name: string): Element | undefined {
  try {
    const root = new DOMParser({ onError: () => undefined }).parseFromString(
      text,
      'text/xml',
    ).documentElement;
    return root?.nodeName === name ? root : undefined;
  } catch {
    return undefined;
  }
}

/** The child elements of an element. */
export function elementsIn(parent: Element | undefined): readonly Element[] {
  return parent === undefined
    ? []
    : Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === 1);
}

/** The elements of a name. */
export const childrenOf = (parent: Element | undefined, name: string): readonly Element[] =>
  elementsIn(parent).filter(({ nodeName }) => nodeName === name);

/** The first element of a name. */
export const childOf = (parent: Element | undefined, name: string): Element | undefined =>
  childrenOf(parent, name)[0];

/** The text of an element by its path; undefined if it does not exist. */
export function textAt(parent: Element, ...path: readonly string[]): string | undefined {
  const found = path.reduce<Element | undefined>((at, name) => childOf(at, name), parent);
  return found?.textContent?.trim();
}
