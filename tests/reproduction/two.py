"""Stands for ``-m reproduction`` in a test: its recipe "quick" is short, and for two processes."""

from dataclasses import replace

from reproduction.training import recipes

if __name__ == "__main__":  # an import, as the search for doctests makes, must change nothing
    short = replace(recipes.RECIPES["quick"], train_images=300, test_images=50, processes=2)
    recipes.RECIPES = {**recipes.RECIPES, "quick": short}
    from reproduction.__main__ import main

    main()
