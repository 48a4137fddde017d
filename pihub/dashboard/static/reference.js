// The admin API's documentation, from its OpenAPI document. Everything is put in as text.

const root = document.querySelector("#operations");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function named(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return `list of ${named(schema.items)}`;
  const either = schema.anyOf ?? schema.oneOf;
  return either ? either.map(named).join(" or ") : [schema.type ?? "any", schema.enum?.join(", ")].filter(Boolean).join(": ");
}

function shape(document_, schema) {
  const found = schema?.$ref ? document_.components.schemas[named(schema)] : schema;
  const table = element("table", undefined, "numbers");
  for (const [name, part] of Object.entries(found?.properties ?? {})) {
    const line = table.insertRow();
    const head = element("th", name);
    head.scope = "row";
    line.append(head);
    line.insertCell().textContent = named(part) + (found.required?.includes(name) ? ", required" : "");
    line.insertCell().textContent = part.description ?? "";
  }
  return table.rows.length ? table : null;
}

function operation(document_, path, method, what) {
  const box = element("details", undefined, "panel");
  const head = element("summary");
  head.append(element("strong", method.toUpperCase()), ` ${path} `, element("span", what.summary ?? "", "sub"));
  box.append(head);
  const rows = (what.parameters ?? []).map((one) => [one.name, `${one.in}: ${named(one.schema)}`, one.description ?? ""]);
  if (rows.length) {
    box.append(element("h2", "Parameters"));
    const table = element("table", undefined, "numbers");
    for (const cells of rows) {
      const line = table.insertRow();
      for (const text of cells) line.insertCell().textContent = text;
    }
    box.append(table);
  }
  const sent = what.requestBody?.content?.["application/json"]?.schema;
  const body = sent && shape(document_, sent);
  if (body) box.append(element("h2", "Body"), body);
  for (const [status, one] of Object.entries(what.responses ?? {})) {
    const got = one.content?.["application/json"]?.schema;
    const table = got && shape(document_, got);
    box.append(element("p", `${status}: ${one.description ?? ""}`, "sub"));
    if (table) box.append(table);
  }
  return box;
}

const answer = await fetch("/admin/api/openapi.json").catch(() => null);
if (!answer?.ok) root.replaceChildren(element("p", "The document cannot be read; reload the page.", "nothing"));
else {
  const found = await answer.json();
  root.replaceChildren();
  for (const [path, methods] of Object.entries(found.paths)) {
    for (const [method, what] of Object.entries(methods)) {
      if (what.responses) root.append(operation(found, path, method, what));
    }
  }
}
