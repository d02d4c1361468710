// The few lines that a framework would be for.
type Child = Node | string | null | false | undefined;
type Properties = Record<string, unknown>;

/** An element; `on…` are listeners, other properties are attributes. */
export function h(name: string, properties: Properties = {}, ...children: Child[]): HTMLElement {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
export function s(name: string, properties: Properties = {}, ...children: Child[]): SVGElement {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function fill<T extends Element>(element: T, properties: Properties, children: Child[]): T {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== false && child !== undefined));
  return element;
}
