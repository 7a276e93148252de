// The page: images come in, their vectors come back from the worker, a click searches them.

const NEAREST = 12;
const SYNTHETIC = "people/";
const COMMAND = "keras-osnet synthetic -o people";

const byId = (id) => document.getElementById(id);
const worker = new Worker("build/worker.js");
const waiting = new Map(); // messages to the worker: id -> { resolve, reject }
let messages = 0;

/** Embedded images: { name, url, vector }. Global, to be looked at in the browser's console. */
const people = (globalThis.people = []);
let folder = 0; // counts the folders that were opened; a newer one ends the work on the older

worker.onmessage = ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
};

worker.onerror = () => showError("The script of the model, build/worker.js, could not be run.");

function ask(message) {
  const id = messages++;
  worker.postMessage({ id, ...message });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

async function showModel() {
  const { name, source, license, input, digest } = await ask({});
  byId("model").textContent =
    `Model: ${name}, weights ${source ?? "unknown"}, license ${license ?? "unknown"}, ` +
    `images of ${input.height} × ${input.width}, SHA-256 ${digest.slice(0, 12)}…`;
}

/** Embed files one after the other; each appears as soon as it can be searched for. */
async function openFiles(files) {
  const mine = ++folder;
  clear();
  const visible = files.filter(({ file }) => !file.name.startsWith("."));
  const order = new Intl.Collator(undefined, { numeric: true });
  visible.sort((a, b) => order.compare(a.name, b.name));
  showStatus(`Embedding ${visible.length} images`);
  byId("progress").hidden = false;
  byId("progress").max = visible.length;
  await ask({}); // an error of the model is not one of the first image
  const start = performance.now();
  for (const [index, { name, file }] of visible.entries()) {
    byId("progress").value = index;
    const { vector, reason } = await ask({ image: file }).then(
      (vector) => ({ vector }),
      (error) => ({ reason: error.message }),
    );
    if (mine !== folder) return;
    if (vector) addPerson({ name, url: URL.createObjectURL(file), vector });
    else addSkipped(name, reason);
  }
  byId("progress").hidden = true;
  if (!people.length) throw new Error("There are no images in this folder.");
  const each = ((performance.now() - start) / visible.length).toFixed(1);
  showStatus(`${people.length} images, ${each} ms each. Select a person to search for.`);
  showNearest();
}

function addPerson(person) {
  const index = people.push(person) - 1;
  const label = copyTemplate("person");
  label.querySelector("input").value = index;
  setImage(label, person);
  byId("people").append(label);
}

function addSkipped(name, reason) {
  const item = document.createElement("li");
  item.textContent = `${name}: ${reason}`;
  byId("skipped").hidden = false;
  byId("skipped").querySelector("ul").append(item);
  const count = byId("skipped").querySelectorAll("li").length;
  byId("skipped").querySelector("summary").textContent = `Files skipped: ${count}`;
}

/** List the images nearest to the selected one, by the cosine of their vectors. */
function showNearest() {
  const selected = byId("people").querySelector("input:checked");
  if (!selected) return;
  const query = people[selected.value];
  const found = people
    .filter((person) => person !== query)
    .map((person) => ({ ...person, similarity: dot(query.vector, person.vector) }))
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, NEAREST);
  byId("results").hidden = found.length === 0;
  if (!found.length) return;
  const [{ name, similarity }] = found;
  showStatus(`Nearest to ${query.name}: ${name}, similarity ${similarity.toFixed(3)}.`);
  setImage(byId("query"), query);
  byId("nearest").replaceChildren(
    ...found.map((person) => {
      const item = copyTemplate("found");
      setImage(item, person);
      item.querySelector("meter").value = person.similarity;
      item.querySelector(".similarity").textContent = person.similarity.toFixed(3);
      return item;
    }),
  );
}

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);

function copyTemplate(id) {
  return byId(`${id}-template`).content.firstElementChild.cloneNode(true);
}

function setImage(element, { name, url }) {
  const image = element.querySelector("img");
  image.src = url;
  image.alt = name;
  element.querySelector(".name").textContent = name.replace(/\.\w+$/, "");
}

function clear() {
  people.forEach(({ url }) => URL.revokeObjectURL(url));
  people.length = 0;
  byId("people").replaceChildren();
  byId("skipped").querySelector("ul").replaceChildren();
  for (const id of ["skipped", "results", "error", "progress"]) byId(id).hidden = true;
}

function showStatus(text) {
  byId("status").textContent = text;
}

function showError(text) {
  byId("error").textContent = text;
  byId("error").hidden = false;
  byId("progress").hidden = true;
  showStatus("");
}

/** Return the files that were dropped, those in folders included. */
async function droppedFiles(items) {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = [];
  for (const entry of entries) await collect(entry, files);
  return files;
}

async function collect(entry, files) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    files.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A reader returns a part of the folder at a time, and at the end nothing.
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const each of part) await collect(each, files);
  }
}

/** Fetch the people that `keras-osnet synthetic` drew beside this page. */
async function syntheticPeople() {
  const table = await fetch(`${SYNTHETIC}attributes.csv`, { cache: "no-cache" });
  if (!table.ok) {
    throw new Error(`There are no people beside this page. Draw them in its folder: ${COMMAND}`);
  }
  const lines = (await table.text()).trim().split("\n").slice(1);
  const names = lines.map((line) => line.slice(0, line.indexOf(",")));
  return Promise.all(
    names.map(async (name) => {
      const response = await fetch(SYNTHETIC + name);
      return { name, file: new File([await response.blob()], name) };
    }),
  );
}

function showErrorsOf(promise) {
  promise.catch((error) => showError(error.message));
}

for (const input of [byId("folder"), byId("files")]) {
  input.addEventListener("change", () => {
    const files = Array.from(input.files, (file) => ({
      name: file.webkitRelativePath || file.name,
      file,
    }));
    input.value = ""; // so that the same folder can be chosen again
    showErrorsOf(openFiles(files));
  });
}
byId("synthetic").addEventListener("click", () => showErrorsOf(syntheticPeople().then(openFiles)));
byId("people").addEventListener("change", showNearest);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  showErrorsOf(droppedFiles(event.dataTransfer.items).then(openFiles));
});
showErrorsOf(showModel());
