// The texts that are seen and whose contrast is below WCAG 2.2, 1.4.3: 4.5, or 3 for large text.
() => {
  const parse = (colour) => {
    const numbers = colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (colour.startsWith("color(srgb")) for (const i of [0, 1, 2]) numbers[i] *= 255;
    return numbers.length > 3 ? numbers : [...numbers, 1];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (part) => {
    const layers = [];
    for (let at = part; at; at = at.parentElement) {
      const fill = parse(getComputedStyle(at).backgroundColor);
      if (fill[3] > 0) layers.push(fill);
      if (fill[3] === 1) break;
    }
    const page = getComputedStyle(document.documentElement).colorScheme.includes("dark") ? 0 : 255;
    return layers.reverse().reduce((below, layer) => over(layer, below), [page, page, page]);
  };
  const seen = (part) => part.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const failing = [];
  const judge = (part, text, colour) => {
    const style = getComputedStyle(part);
    const box = part.getBoundingClientRect();
    if (!seen(part) || box.width < 2 || box.height < 2 || part.closest(":disabled, [aria-hidden=true]")) return;
    let share = 1;
    for (let at = part; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    const ground = behind(part);
    const [r, g, b, a] = parse(colour);
    const one = light(over([r, g, b, a * share], ground)), two = light(ground);
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5))
      failing.push(`${contrast.toFixed(2)} ${text.slice(0, 40)} ${part.tagName}.${part.className}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const part = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (text && !["SCRIPT", "STYLE", "NOSCRIPT"].includes(part.tagName))
      judge(part, text, getComputedStyle(part).color);
  }
  for (const field of document.querySelectorAll("textarea, input:not([type=radio], [type=checkbox], [type=file])")) {
    if (field.value) judge(field, field.value, getComputedStyle(field).color);
    else if (field.placeholder)
      judge(field, field.placeholder, getComputedStyle(field, "::placeholder").color);
  }
  return [...new Set(failing)];
}
