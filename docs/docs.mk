# What is written about the program, and whether it is still true.
#   make hypercalls    docs/hypercalls.md, from the tables of hypercalls and the sources
#   make docs-check    docs/hypercalls.md is what these say; what the documents name and link to is there (part of make lint)

.PHONY: hypercalls docs-check

$(OUT)/reference-rows: docs/reference/rows.c docs/reference/meaning.def abi/table.def $(wildcard abi/table/*.def) abi/hypercall.h
	@mkdir -p $(@D)
	@$(CC) $(CORE_CFLAGS) -Ihost/inline -o $@ $<

hypercalls: $(OUT)/reference-rows
	@docs/reference/write $< > $(OUT)/hypercalls.md
	@cp $(OUT)/hypercalls.md docs/hypercalls.md

docs-check: $(OUT)/reference-rows
	@docs/reference/write $< > $(OUT)/hypercalls.md
	@cmp -s $(OUT)/hypercalls.md docs/hypercalls.md || \
		{ echo "docs/hypercalls.md is not what the tables and sources say: make hypercalls"; exit 1; }
	@docs/reference/check-names
